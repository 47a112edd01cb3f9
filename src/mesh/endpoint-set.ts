import { stableHash } from "../base/stable-hash.ts";
import { formatIdentity } from "../model/identity.ts";
import type { Origin } from "../model/origin.ts";
import { type Resource, refOf } from "../model/resource.ts";
import type { Service, ServicePort } from "../model/service.ts";
import type { EndpointSliceBody, ServiceEntryBody } from "../schema/bodies.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { type MtlsModes, mtlsOf } from "./peer-authentication.ts";
import type { IndexedWorkload } from "./workload.ts";

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

/** The endpoints of one service, and a hash of all that they say and come from. */
export interface EndpointSet {
  readonly endpoints: readonly ServiceEndpoint[];
  /** SPIFFE ids behind the service, sorted; whatever the subset and the readiness (Istio's rule for secure naming). */
  readonly identities: readonly string[];
  readonly hash: string;
  readonly origin: readonly Origin[];
}

export const NO_ENDPOINTS: EndpointSet = { endpoints: [], identities: [], hash: stableHash([[], []]), origin: [] };

/** What the endpoints of one service are made of. */
export interface EndpointSources {
  readonly settings: MeshSettings;
  /** Workloads that the service selects, in order of name. */
  readonly selected: readonly IndexedWorkload[];
  readonly slices: readonly Resource<EndpointSliceBody>[];
  /** The ServiceEntry itself, for the endpoints that it lists. */
  readonly entry: Resource<ServiceEntryBody> | undefined;
  podNamed(name: string): IndexedWorkload | undefined;
  /** What a workload's PeerAuthentication says of its ports. */
  mtlsOf(workload: IndexedWorkload): MtlsModes;
}

interface Found {
  readonly endpoints: readonly ServiceEndpoint[];
  readonly origin: readonly Origin[];
}

/** The endpoints of a service, in order of address. */
export function endpointSetOf(service: Service, sources: EndpointSources): EndpointSet {
  const found = service.kind === "service-entry" ? ofServiceEntry(service, sources) : ofKubernetes(service, sources);
  const endpoints = found.endpoints.toSorted((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const identities = [...new Set(endpoints.map(({ identity }) => identity))].filter((identity) => identity !== "").toSorted();
  return { endpoints, identities, hash: stableHash([endpoints, found.origin]), origin: found.origin };
}

function ofKubernetes(service: Service, sources: EndpointSources): Found {
  const { slices, selected } = sources;
  if (slices.length === 0) return ofWorkloads(service, selected, sources);
  const entries = ofWorkloads(
    service,
    selected.filter(({ kind }) => kind === "WorkloadEntry"),
    sources,
  );
  const listed = slices.flatMap((slice) => ofSlice(service, slice, sources));
  return {
    endpoints: [...listed, ...entries.endpoints],
    origin: [...slices.map((slice) => ({ ref: refOf(slice), path: [] })), ...entries.origin],
  };
}

function ofWorkloads(service: Service, workloads: readonly IndexedWorkload[], sources: EndpointSources): Found {
  const reachable = workloads.filter(({ address }) => address !== "");
  const endpoints = reachable.map((workload) =>
    toEndpoint(workload, new Map(service.ports.flatMap((port) => portOf(workload, port))), sources),
  );
  return { endpoints: endpoints.filter(({ ports }) => ports.size > 0), origin: reachable.map(({ origin }) => origin) };
}

function toEndpoint(workload: IndexedWorkload, ports: ReadonlyMap<number, EndpointPort>, sources: EndpointSources): ServiceEndpoint {
  const { address, labels, locality, network, weight, ready, hasSidecar, namespace, name, serviceAccount } = workload;
  const identity = formatIdentity({ trustDomain: sources.settings.trustDomain, namespace, serviceAccount });
  const own = hasSidecar ? withMtls(ports, sources.mtlsOf(workload)) : ports;
  return { address, ports: own, labels, identity, locality, network, weight, ready, hasSidecar, workload: `${namespace}/${name}` };
}

function withMtls(ports: ReadonlyMap<number, EndpointPort>, modes: MtlsModes): ReadonlyMap<number, EndpointPort> {
  return new Map(
    [...ports].map(([number, port]) => [number, mtlsOf(modes, port.port) === "disable" ? { ...port, plaintext: true } : port]),
  );
}

function ofSlice(service: Service, slice: Resource<EndpointSliceBody>, sources: EndpointSources): readonly ServiceEndpoint[] {
  const ports = new Map<number, EndpointPort>();
  for (const port of service.ports) {
    const listed = slice.body.ports?.find(({ name = "" }) => name === port.name);
    if (listed?.port !== undefined) ports.set(port.number, { port: listed.port });
  }
  return (slice.body.endpoints ?? []).flatMap((endpoint) => {
    const { conditions, targetRef, zone = "" } = endpoint;
    const ready = (conditions?.ready ?? true) && conditions?.terminating !== true;
    const pod = targetRef?.kind === "Pod" && targetRef.name !== undefined ? sources.podNamed(targetRef.name) : undefined;
    return endpoint.addresses.map((address): ServiceEndpoint => {
      if (pod !== undefined) return { ...toEndpoint(pod, withSidecarPorts(ports, pod), sources), address, ready };
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

function ofServiceEntry(service: Service, sources: EndpointSources): Found {
  const { namespace } = service;
  const { settings, entry, selected } = sources;
  if (service.selector !== undefined) return ofWorkloads(service, selected, sources);
  const endpoints = (entry?.body.spec.endpoints ?? []).map((endpoint): ServiceEndpoint => {
    const { address = "", labels = {}, serviceAccount, locality = "", network = "", weight = 1, ports = {} } = endpoint;
    const identity = serviceAccount === undefined ? "" : formatIdentity({ trustDomain: settings.trustDomain, namespace, serviceAccount });
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
