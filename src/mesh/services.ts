import { stableHash } from "../base/stable-hash.ts";
import { isWildcardHost } from "../base/host-match.ts";
import { type Resource, refOf } from "../model/resource.ts";
import { parseProtocol, type Resolution, type Service, type ServicePort } from "../model/service.ts";
import type { ServiceBody, ServiceEntryBody } from "../schema/bodies.ts";
import { allocateAddresses } from "./addresses.ts";
import type { Finding } from "./finding.ts";
import { HostOwners } from "./host-owners.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { protocolOf } from "./protocol.ts";
import { byAge, isExported, qualifyHost } from "./visibility.ts";

/** All services of the mesh by host, and which of them a namespace sees. */
export class ServiceIndex {
  /** Every claim to a host, the one that owns it first. */
  readonly #byHost: ReadonlyMap<string, readonly Service[]>;
  readonly #meshWideOnlyByOwner: boolean;
  readonly #owners: HostOwners;
  readonly #visible = new Map<string, ReadonlyMap<string, Service>>();
  readonly findings: readonly Finding[];

  constructor(resources: Iterable<Resource>, settings: MeshSettings) {
    const byHost = new Map<string, Service[]>();
    const findings: Finding[] = [];
    const services = readServices(resources, settings, findings);
    const owners = new HostOwners(services, settings.clusterDomain);
    for (const service of services) {
      const claims = byHost.get(service.host);
      if (claims === undefined) byHost.set(service.host, [service]);
      else claims.push(service);
    }
    for (const claims of byHost.values()) {
      claims.sort((a, b) => rank(a, owners) - rank(b, owners) || byAge(a, b));
      for (const [i, claim] of claims.entries()) {
        if (settings.profile === "zero-trust") findings.push(...foreignClaim(claim, claims, owners));
        if (i > 0) findings.push(...secondClaim(claim, claims));
      }
    }
    this.#byHost = byHost;
    this.#owners = owners;
    this.#meshWideOnlyByOwner = settings.profile === "zero-trust";
    this.findings = findings;
  }

  /** What a client in `namespace` means by each host it can see, in order of host. Its own namespace's claim goes first. */
  visibleFrom(namespace: string): ReadonlyMap<string, Service> {
    const known = this.#visible.get(namespace);
    if (known !== undefined) return known;
    const visible = new Map<string, Service>();
    for (const host of [...this.#byHost.keys()].toSorted()) {
      const service = this.find(host, namespace);
      if (service !== undefined) visible.set(host, service);
    }
    this.#visible.set(namespace, visible);
    return visible;
  }

  find(host: string, viewer: string): Service | undefined {
    const claims = this.#byHost.get(host) ?? [];
    const seen = claims.filter((claim, i) => isExported(claim.exportTo, claim.namespace, viewer) && this.#mayServe(claim, i, viewer));
    return seen.find((claim) => claim.namespace === viewer) ?? seen[0];
  }

  /** The namespace that may say, for the whole mesh, where a host's traffic goes; undefined where it is nobody's. */
  ownerOf(host: string): string | undefined {
    const owner = this.#owners.of(host);
    return owner === undefined ? this.#byHost.get(host)?.[0]?.namespace : owner || undefined;
  }

  has(host: string): boolean {
    return this.#byHost.has(host);
  }

  /** Every service once, also those that another claim hides. */
  *all(): Iterable<Service> {
    for (const claims of this.#byHost.values()) yield* claims;
  }

  #mayServe(claim: Service, place: number, viewer: string): boolean {
    if (!this.#meshWideOnlyByOwner || claim.namespace === viewer) return true;
    return place === 0 && mayOwn(claim, this.#owners);
  }
}

/** A Kubernetes Service owns its name; a name of the cluster's form belongs to its namespace; else the oldest claim wins. */
function rank(service: Service, owners: HostOwners): number {
  if (service.kind === "kubernetes") return 0;
  return mayOwn(service, owners) ? 1 : 2;
}

function mayOwn(service: Service, owners: HostOwners): boolean {
  const owner = service.kind === "kubernetes" ? undefined : owners.of(service.host);
  return owner === undefined || owner === service.namespace;
}

function foreignClaim(claim: Service, claims: readonly Service[], owners: HostOwners): readonly Finding[] {
  const [first] = claims;
  const owner = (mayOwn(claim, owners) ? first?.namespace : owners.of(claim.host)) ?? "";
  if (owner === claim.namespace) return [];
  if (claim.exportTo.length > 0 && claim.exportTo.every((to) => to === "." || to === "~" || to === claim.namespace)) return [];
  const whose = owner === "" ? "is a name of the whole cluster" : `belongs to namespace "${owner}"`;
  return [
    {
      code: "KMK3003",
      message: `host "${claim.host}" ${whose}; this ${claim.origin.ref.kind} serves only clients of "${claim.namespace}"`,
      help: `set exportTo: ["."] if that is meant${owner === "" ? "" : `, or declare the host in namespace "${owner}"`}`,
      origin: claim.origin,
      ...(first !== undefined && first !== claim && { related: [{ message: "the host's owner", resource: first.origin.ref }] }),
    },
  ];
}

function secondClaim(claim: Service, claims: readonly Service[]): readonly Finding[] {
  const first = claims.find(({ namespace }) => namespace === claim.namespace);
  if (first === undefined || first === claim) return [];
  return [
    {
      code: "KMK2007",
      message: `host "${claim.host}" is already declared in this namespace; this one is not used`,
      help: "declare all of its ports in one resource",
      origin: claim.origin,
      related: [{ message: "the one that is used", resource: first.origin.ref }],
    },
  ];
}

function readServices(resources: Iterable<Resource>, settings: MeshSettings, findings: Finding[]): readonly Service[] {
  const drafts: Draft[] = [];
  for (const resource of resources) {
    if (resource.kind === "Service") drafts.push(...readKubernetes(resource as Resource<ServiceBody>, settings, findings));
    else if (resource.kind === "ServiceEntry") drafts.push(...readServiceEntry(resource as Resource<ServiceEntryBody>, settings));
  }
  const allocated = {
    kubernetes: allocateAddresses("kubernetes", wantsAddress(drafts, "kubernetes")),
    "service-entry": allocateAddresses("service-entry", wantsAddress(drafts, "service-entry")),
  };
  return drafts.map((draft) => {
    const address = needsAddress(draft) ? allocated[draft.kind].get(draft.host) : undefined;
    const { origin, ...read } = { ...draft, ...(address !== undefined && { allocatedAddress: address }) };
    return { ...read, hash: stableHash(read), origin };
  });
}

type Draft = Omit<Service, "hash" | "allocatedAddress">;

function* wantsAddress(drafts: readonly Draft[], kind: Service["kind"]): Iterable<string> {
  for (const draft of drafts) if (draft.kind === kind && needsAddress(draft)) yield draft.host;
}

function needsAddress(draft: Draft): boolean {
  return draft.addresses.length === 0 && !draft.headless && draft.resolution !== "none" && !isWildcardHost(draft.host);
}

function readKubernetes(resource: Resource<ServiceBody>, settings: MeshSettings, findings: Finding[]): readonly Draft[] {
  const { metadata } = resource;
  const spec = resource.body.spec ?? {};
  const origin = { ref: refOf(resource), path: ["spec"] };
  if (spec.type === "ExternalName") {
    findings.push({
      code: "KMK1003",
      message: "a Service of type ExternalName is not served",
      help: "declare a ServiceEntry for the outside host",
      origin: { ref: origin.ref, path: ["spec", "type"] },
    });
    return [];
  }
  const headless = spec.clusterIP === "None";
  const declared = [...new Set([spec.clusterIP ?? "", ...(spec.clusterIPs ?? [])])].filter(
    (address) => address !== "" && address !== "None",
  );
  const ports = (spec.ports ?? []).map((port): ServicePort => {
    const { name = "", protocol: transport = "TCP", appProtocol, targetPort } = port;
    return {
      number: port.port,
      name,
      protocol: protocolOf({ number: port.port, name, transport, appProtocol }),
      targetPort: readTarget(targetPort, port.port),
    };
  });
  const selector = spec.selector !== undefined && Object.keys(spec.selector).length > 0 ? { selector: spec.selector } : undefined;
  const exported = metadata.annotations["networking.istio.io/exportTo"]?.split(",").map((to) => to.trim());
  return [
    {
      host: `${metadata.name}.${metadata.namespace}.svc.${settings.clusterDomain}`.toLowerCase(),
      name: metadata.name,
      namespace: metadata.namespace,
      kind: "kubernetes",
      addresses: declared,
      headless,
      ports,
      resolution: "static",
      external: false,
      subjectAltNames: [],
      ...selector,
      exportTo: exported ?? settings.defaultExportTo.service,
      created: metadata.creationTimestamp ?? "",
      origin,
    },
  ];
}

/** A number may stand in quotes. */
function readTarget(target: unknown, port: number): number | string {
  if (typeof target === "number") return target;
  if (typeof target !== "string" || target === "") return port;
  return /^\d{1,5}$/.test(target) ? Number(target) : target;
}

const RESOLUTIONS: Readonly<Record<string, Resolution>> = {
  NONE: "none",
  STATIC: "static",
  DNS: "dns",
  DNS_ROUND_ROBIN: "dns-round-robin",
};

function readServiceEntry(resource: Resource<ServiceEntryBody>, settings: MeshSettings): readonly Draft[] {
  const { metadata } = resource;
  const { spec } = resource.body;
  const ports = (spec.ports ?? []).map(
    (port): ServicePort => ({
      number: port.number,
      name: port.name,
      protocol:
        (port.protocol === undefined ? undefined : parseProtocol(port.protocol)) ??
        protocolOf({ number: port.number, name: port.protocol === undefined ? port.name : "", transport: "TCP", appProtocol: undefined }),
      targetPort: port.targetPort ?? port.number,
    }),
  );
  return spec.hosts.map((host, i) => ({
    host: qualifyHost(host, metadata.namespace, settings.clusterDomain),
    name: metadata.name,
    namespace: metadata.namespace,
    kind: "service-entry",
    addresses: (spec.addresses ?? []).filter((address) => !address.startsWith("0.0.0.0")),
    headless: false,
    ports,
    resolution: RESOLUTIONS[spec.resolution ?? "NONE"] ?? "none",
    external: spec.location !== "MESH_INTERNAL",
    subjectAltNames: spec.subjectAltNames ?? [],
    ...(spec.workloadSelector?.labels !== undefined && { selector: spec.workloadSelector.labels }),
    exportTo: spec.exportTo ?? settings.defaultExportTo.service,
    created: metadata.creationTimestamp ?? "",
    origin: { ref: refOf(resource), path: ["spec", "hosts", i] },
  }));
}
