import { isWildcardHost } from "../base/host-match.ts";
import { part } from "../base/part.ts";
import { stableHash } from "../base/stable-hash.ts";
import { type Resource, refOf } from "../model/resource.ts";
import { parseProtocol, type Resolution, type Service, type ServicePort } from "../model/service.ts";
import type { ServiceBody, ServiceEntryBody } from "../schema/bodies.ts";
import type { Allocation } from "./addresses.ts";
import type { Finding } from "./finding.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { protocolOf } from "./protocol.ts";
import { qualifyHost } from "./visibility.ts";

/** A service before the mesh has chosen an address for it. */
export type ServiceDraft = Omit<Service, "hash" | "allocatedAddress">;

/** What a Service or a ServiceEntry declares: one for each of its hosts; none for another kind. */
export const draftsOf = part((resource: Resource, settings: MeshSettings): readonly ServiceDraft[] => {
  if (resource.kind === "Service") return readKubernetes(resource as Resource<ServiceBody>, settings);
  return resource.kind === "ServiceEntry" ? readServiceEntry(resource as Resource<ServiceEntryBody>, settings) : [];
});

/** The service of a draft with the address that the mesh chose for its host. */
export const serviceOf = part((draft: ServiceDraft, allocation: Allocation): Service => {
  const read = { ...draft, ...(allocation.address !== "" && { allocatedAddress: allocation.address }) };
  return { ...read, hash: stableHash(read) };
});

/** In place of an address where the mesh need not choose one, or has none left. */
export const UNALLOCATED: Allocation = Object.freeze({ address: "", place: -1 });

/** Whether the mesh chooses an address for it. */
export function needsAddress(draft: ServiceDraft): boolean {
  return draft.addresses.length === 0 && !draft.headless && draft.resolution !== "none" && !isWildcardHost(draft.host);
}

/** What a Service cannot be; undefined where it can. */
export function findingOf(resource: Resource): Finding | undefined {
  if (resource.kind !== "Service" || (resource.body as ServiceBody).spec?.type !== "ExternalName") return undefined;
  return {
    code: "KMK1003",
    message: "a Service of type ExternalName is not served",
    help: "declare a ServiceEntry for the outside host",
    origin: { ref: refOf(resource), path: ["spec", "type"] },
  };
}

function readKubernetes(resource: Resource<ServiceBody>, settings: MeshSettings): readonly ServiceDraft[] {
  const { metadata } = resource;
  const spec = resource.body.spec ?? {};
  const origin = { ref: refOf(resource), path: ["spec"] };
  if (spec.type === "ExternalName") return [];
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

function readServiceEntry(resource: Resource<ServiceEntryBody>, settings: MeshSettings): readonly ServiceDraft[] {
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
