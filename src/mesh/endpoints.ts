import { stableHash } from "../base/stable-hash.ts";
import { formatIdentity } from "../model/identity.ts";
import type { Origin } from "../model/origin.ts";
import { type Resource, refOf } from "../model/resource.ts";
import type { Service, ServicePort } from "../model/service.ts";
import type { EndpointSliceBody, ServiceEntryBody } from "../schema/bodies.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { mtlsOf, resolveMtls } from "./peer-authentication.ts";
import type { PolicyIndex } from "./policies.ts";
import type { IndexedWorkload, WorkloadIndex } from "./workloads.ts";

/** One address that answers for a service. */
export interface ServiceEndpoint {
  /** An IP address, or a host name where the service resolves by DNS. */
  readonly address: string;
  /** Service port number to the endpoint's own port, and to its sidecar's where workloads share one address. */
  readonly ports: ReadonlyMap<number, EndpointPort>;
  readonly labels: Readonly<Record<string, string>>;
  /** SPIFFE id of the workload; empty for one that has none. */
  readonly identity: string;
  readonly locality: string;
  readonly network: string;
  readonly weight: number;
  readonly ready: boolean;
  readonly hasSidecar: boolean;
  /** `namespace/name` of the workload, empty for a bare address. */
  readonly workload: string;
}

export interface EndpointPort {
  readonly port: number;
  readonly sidecarPort?: number;
  /** Its sidecar takes plaintext only (PeerAuthentication DISABLE): callers must not speak mTLS to it. */
  readonly plaintext?: true;
}

/** The endpoints of one service, and a hash of all that they say. */
export interface EndpointSet {
  readonly endpoints: readonly ServiceEndpoint[];
  /** SPIFFE ids behind the service, sorted; whatever the subset and the readiness (Istio's rule for secure naming). */
  readonly identities: readonly string[];
  readonly hash: string;
  readonly origin: readonly Origin[];
}

/** Finds the endpoints of services; each service's are worked out once, when first asked for. */
export class EndpointIndex {
  readonly #workloads: WorkloadIndex;
  readonly #slices: ReadonlyMap<string, readonly Resource<EndpointSliceBody>[]>;
  readonly #entries: ReadonlyMap<string, Resource<ServiceEntryBody>>;
  readonly #settings: MeshSettings;
  readonly #policies: PolicyIndex;
  readonly #known = new Map<Service, EndpointSet>();

  constructor(resources: Iterable<Resource>, workloads: WorkloadIndex, policies: PolicyIndex, settings: MeshSettings) {
    const slices = new Map<string, Resource<EndpointSliceBody>[]>();
    const entries = new Map<string, Resource<ServiceEntryBody>>();
    for (const resource of resources) {
      const { namespace, name, labels } = resource.metadata;
      if (resource.kind === "ServiceEntry") entries.set(`${namespace}/${name}`, resource as Resource<ServiceEntryBody>);
      if (resource.kind !== "EndpointSlice") continue;
      const key = `${namespace}/${labels["kubernetes.io/service-name"] ?? ""}`;
      const list = slices.get(key);
      if (list === undefined) slices.set(key, [resource as Resource<EndpointSliceBody>]);
      else list.push(resource as Resource<EndpointSliceBody>);
    }
    this.#workloads = workloads;
    this.#slices = slices;
    this.#entries = entries;
    this.#policies = policies;
    this.#settings = settings;
  }

  of(service: Service): EndpointSet {
    const known = this.#known.get(service);
    if (known !== undefined) return known;
    const found = this.#find(service);
    const endpoints = found.endpoints.toSorted((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    const identities = [...new Set(endpoints.map(({ identity }) => identity))].filter((identity) => identity !== "").toSorted();
    const set: EndpointSet = { endpoints, identities, hash: stableHash(endpoints), origin: found.origin };
    this.#known.set(service, set);
    return set;
  }

  #find(service: Service): { readonly endpoints: readonly ServiceEndpoint[]; readonly origin: readonly Origin[] } {
    if (service.kind === "service-entry") return this.#ofServiceEntry(service);
    const slices = this.#slices.get(`${service.namespace}/${service.name}`);
    const selected = service.selector === undefined ? [] : this.#workloads.select(service.namespace, service.selector);
    if (slices === undefined) return this.#ofWorkloads(service, selected);
    const entries = this.#ofWorkloads(
      service,
      selected.filter(({ kind }) => kind === "WorkloadEntry"),
    );
    const listed = slices.flatMap((slice) => this.#ofSlice(service, slice));
    return {
      endpoints: [...listed, ...entries.endpoints],
      origin: [...slices.map((slice) => ({ ref: refOf(slice), path: [] })), ...entries.origin],
    };
  }

  #ofWorkloads(service: Service, workloads: readonly IndexedWorkload[]) {
    const reachable = workloads.filter(({ address }) => address !== "");
    const endpoints = reachable.map((workload) =>
      this.#toEndpoint(workload, new Map(service.ports.flatMap((port) => portOf(workload, port)))),
    );
    return { endpoints: endpoints.filter(({ ports }) => ports.size > 0), origin: reachable.map(({ origin }) => origin) };
  }

  #toEndpoint(workload: IndexedWorkload, ports: ReadonlyMap<number, EndpointPort>): ServiceEndpoint {
    const { address, labels, locality, network, weight, ready, hasSidecar, namespace, name, serviceAccount } = workload;
    const identity = formatIdentity({ trustDomain: this.#settings.trustDomain, namespace, serviceAccount });
    const own = hasSidecar ? this.#withMtls(workload, ports) : ports;
    return { address, ports: own, labels, identity, locality, network, weight, ready, hasSidecar, workload: `${namespace}/${name}` };
  }

  /** What the workload's PeerAuthentication says of each of its ports. */
  #withMtls(workload: IndexedWorkload, ports: ReadonlyMap<number, EndpointPort>): ReadonlyMap<number, EndpointPort> {
    const modes = resolveMtls(this.#policies.find("PeerAuthentication", workload), this.#settings.defaultMtls);
    return new Map(
      [...ports].map(([number, port]) => [number, mtlsOf(modes, port.port) === "disable" ? { ...port, plaintext: true } : port]),
    );
  }

  #ofSlice(service: Service, slice: Resource<EndpointSliceBody>): readonly ServiceEndpoint[] {
    const ports = new Map<number, EndpointPort>();
    for (const port of service.ports) {
      const listed = slice.body.ports?.find(({ name = "" }) => name === port.name);
      if (listed?.port !== undefined) ports.set(port.number, { port: listed.port });
    }
    return (slice.body.endpoints ?? []).flatMap((endpoint) => {
      const { conditions, targetRef, zone = "" } = endpoint;
      const ready = (conditions?.ready ?? true) && conditions?.terminating !== true;
      const pod =
        targetRef?.kind === "Pod" && targetRef.name !== undefined
          ? this.#workloads.find("Pod", service.namespace, targetRef.name)
          : undefined;
      return endpoint.addresses.map((address): ServiceEndpoint => {
        if (pod !== undefined) return { ...this.#toEndpoint(pod, withSidecarPorts(ports, pod)), address, ready };
        return {
          address,
          ports,
          labels: {},
          identity: "",
          locality: zone === "" ? "" : `/${zone}`,
          network: "",
          weight: 1,
          ready,
          hasSidecar: false,
          workload: "",
        };
      });
    });
  }

  #ofServiceEntry(service: Service) {
    const { namespace, name } = service;
    if (service.selector !== undefined) return this.#ofWorkloads(service, this.#workloads.select(namespace, service.selector));
    const listed = this.#entries.get(`${namespace}/${name}`)?.body.spec.endpoints ?? [];
    const endpoints = listed.map((endpoint): ServiceEndpoint => {
      const { address = "", labels = {}, serviceAccount, locality = "", network = "", weight = 1, ports = {} } = endpoint;
      const identity =
        serviceAccount === undefined ? "" : formatIdentity({ trustDomain: this.#settings.trustDomain, namespace, serviceAccount });
      const tlsMode = labels["security.istio.io/tlsMode"];
      return {
        address,
        ports: new Map(service.ports.map((port) => [port.number, { port: ports[port.name] ?? Number(port.targetPort) }])),
        labels,
        identity,
        locality,
        network,
        weight,
        ready: true,
        hasSidecar: !service.external && (tlsMode === undefined ? identity !== "" : tlsMode === "istio"),
        workload: "",
      };
    });
    return { endpoints, origin: [{ ref: service.origin.ref, path: ["spec", "endpoints"] }] };
  }
}

/** A named target port is looked up among the workload's ports; without one of that name the workload doesn't serve the port. */
function portOf(workload: IndexedWorkload, { number, name, targetPort }: ServicePort): readonly (readonly [number, EndpointPort])[] {
  if (workload.kind === "WorkloadEntry") {
    const port = workload.ports.find((own) => own.name === name)?.port ?? (typeof targetPort === "number" ? targetPort : number);
    return [[number, { port }]];
  }
  const declared = workload.ports.find((own) =>
    typeof targetPort === "number" ? own.port === targetPort : own.name === targetPort && own.protocol === "TCP",
  );
  const port = typeof targetPort === "number" ? targetPort : declared?.port;
  if (port === undefined) return [];
  return [[number, { port, ...(declared?.sidecarPort !== undefined && { sidecarPort: declared.sidecarPort }) }]];
}

function withSidecarPorts(ports: ReadonlyMap<number, EndpointPort>, workload: IndexedWorkload): ReadonlyMap<number, EndpointPort> {
  const own = new Map(workload.ports.flatMap(({ port, sidecarPort }) => (sidecarPort === undefined ? [] : [[port, sidecarPort] as const])));
  if (own.size === 0) return ports;
  return new Map(
    [...ports].map(([number, { port }]) => {
      const sidecarPort = own.get(port);
      return [number, { port, ...(sidecarPort !== undefined && { sidecarPort }) }];
    }),
  );
}
