import type { Proxy } from "../model/proxy.ts";
import { type Metadata, type Resource, refOf } from "../model/resource.ts";
import type { Workload, WorkloadPort } from "../model/workload.ts";
import type { PodBody, WorkloadEntryBody } from "../schema/bodies.ts";
import { isPodReady } from "../schema/pod-ready.ts";

/** Istio's injector writes it; any value means that a sidecar of the mesh takes the Pod's traffic. */
const SIDECAR_STATUS = "sidecar.istio.io/status";
const TLS_MODE = "security.istio.io/tlsMode";
/** JSON: the Pod's port to the loopback port on which its sidecar takes that port's traffic. */
const SIDECAR_PORTS = "kumiko.dev/sidecar-ports";
/** JSON: the Pod's port to the one on which its application was told to listen. */
const APP_PORTS = "kumiko.dev/app-ports";

/** Istio's injector reads it at a Pod's template: which of its templates are meant. */
export const INJECTION_TEMPLATES = "inject.istio.io/templates";

/** Marked for gateway injection, as Istio does it, or labelled like one of its own gateways: there is only a proxy, of type router. */
export function isGateway({ labels, annotations }: Pick<Metadata, "labels" | "annotations">): boolean {
  const templates = (annotations[INJECTION_TEMPLATES] ?? "").split(",").map((name) => name.trim());
  return templates.includes("gateway") || labels["istio"] === "ingressgateway" || labels["istio"] === "egressgateway";
}

export interface IndexedWorkload extends Workload {
  readonly kind: "Pod" | "WorkloadEntry";
  readonly proxyType: Proxy["type"];
  /** Share of a locality's traffic (WorkloadEntry); 1 for a Pod. */
  readonly weight: number;
}

/** What a Pod or a WorkloadEntry says; undefined for another kind, and for a Pod that has ended. */
export function readWorkload(resource: Resource | undefined): IndexedWorkload | undefined {
  if (resource === undefined) return undefined;
  if (resource.kind === "Pod") return readPod(resource as Resource<PodBody>);
  return resource.kind === "WorkloadEntry" ? readWorkloadEntry(resource as Resource<WorkloadEntryBody>) : undefined;
}

function readPod(resource: Resource<PodBody>): IndexedWorkload | undefined {
  const { metadata, body } = resource;
  if (body.status?.phase === "Failed" || body.status?.phase === "Succeeded") return undefined;
  return {
    kind: "Pod",
    proxyType: isGateway(metadata) ? "router" : "sidecar",
    name: metadata.name,
    namespace: metadata.namespace,
    labels: metadata.labels,
    serviceAccount: body.spec?.serviceAccountName ?? "default",
    address: body.status?.podIP ?? body.status?.podIPs?.[0]?.ip ?? "",
    ports: readPodPorts(resource),
    ready: isPodReady(body),
    locality: localityOf(metadata.labels),
    network: metadata.labels["topology.istio.io/network"] ?? "",
    cluster: metadata.labels["topology.istio.io/cluster"] ?? "Kubernetes",
    hasSidecar: metadata.annotations[SIDECAR_STATUS] !== undefined || metadata.labels[TLS_MODE] === "istio",
    weight: 1,
    origin: { ref: refOf(resource), path: [] },
  };
}

function readPodPorts(resource: Resource<PodBody>): readonly WorkloadPort[] {
  const sidecarPorts = readPortMap(resource.metadata.annotations[SIDECAR_PORTS]);
  const appPorts = readPortMap(resource.metadata.annotations[APP_PORTS]);
  const moved = (port: number) => ({
    ...(sidecarPorts.has(port) && { sidecarPort: sidecarPorts.get(port) as number }),
    ...(appPorts.has(port) && { appPort: appPorts.get(port) as number }),
  });
  const ports = (resource.body.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  const declared = ports.map(({ name = "", containerPort, protocol }): WorkloadPort => {
    return { name, port: containerPort, protocol: protocol === "UDP" ? "UDP" : "TCP", ...moved(containerPort) };
  });
  const rest = [...sidecarPorts.keys()].filter((port) => !declared.some((known) => known.port === port));
  return [...declared, ...rest.map((port): WorkloadPort => ({ name: "", port, protocol: "TCP", ...moved(port) }))];
}

/** The annotation is written by the runtime, but anyone may write a Pod: what isn't a map of ports counts as absent. */
function readPortMap(text: string | undefined): ReadonlyMap<number, number> {
  if (text === undefined || text.length > 4096) return new Map();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return new Map();
    return new Map(
      Object.entries(value).flatMap(([port, own]) => (isPort(Number(port)) && isPort(own) ? [[Number(port), own] as const] : [])),
    );
  } catch {
    return new Map();
  }
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value < 65_536;
}

function localityOf(labels: Readonly<Record<string, string>>): string {
  const own = labels["istio-locality"];
  if (own !== undefined) return own.replaceAll(".", "/");
  const region = labels["topology.kubernetes.io/region"] ?? "";
  const zone = labels["topology.kubernetes.io/zone"] ?? "";
  return zone === "" ? region : `${region}/${zone}`;
}

function readWorkloadEntry(resource: Resource<WorkloadEntryBody>): IndexedWorkload {
  const { metadata } = resource;
  const { spec } = resource.body;
  const labels = { ...metadata.labels, ...spec.labels };
  const tlsMode = labels[TLS_MODE];
  return {
    kind: "WorkloadEntry",
    proxyType: isGateway({ labels, annotations: metadata.annotations }) ? "router" : "sidecar",
    name: metadata.name,
    namespace: metadata.namespace,
    labels,
    serviceAccount: spec.serviceAccount ?? "default",
    address: spec.address ?? "",
    ports: Object.entries(spec.ports ?? {}).map(([name, port]) => ({ name, port, protocol: "TCP" })),
    ready: true,
    locality: spec.locality ?? "",
    network: spec.network ?? "",
    cluster: "Kubernetes",
    // Istio: without the label, a service account says that there is a proxy which holds its identity.
    hasSidecar: tlsMode === undefined ? spec.serviceAccount !== undefined : tlsMode === "istio",
    weight: spec.weight ?? 1,
    origin: { ref: refOf(resource), path: [] },
  };
}
