import type { PodBody } from "../schema/bodies.ts";
import { isPodReady } from "../schema/pod-ready.ts";
import type { Column } from "./output.ts";
import { renderAge, renderPlace } from "./render.ts";

/** A resource as the API answers it. */
export interface ApiResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly creationTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

type Cells = Readonly<Record<string, (resource: ApiResource) => string>>;

/** What a person wants to see of a kind beside its name and age; Istio's and Kubernetes' own columns where they have some. */
const BY_KIND: Readonly<Record<string, Cells>> = {
  Pod: { READY: (pod) => podReady(pod), STATUS: at("status.phase"), RESTARTS: (pod) => String(restarts(pod)), IP: at("status.podIP") },
  Service: { TYPE: at("spec.type", "ClusterIP"), "CLUSTER-IP": at("spec.clusterIP"), PORTS: (service) => ports(service) },
  Deployment: { READY: (one) => replicasReady(one), AVAILABLE: at("status.availableReplicas", "0") },
  StatefulSet: { READY: (one) => replicasReady(one) },
  ConfigMap: { DATA: (one) => String(Object.keys(value(one, "data") ?? {}).length) },
  Secret: { TYPE: at("type", "Opaque"), DATA: (one) => String(Object.keys(value(one, "data") ?? {}).length) },
  EndpointSlice: { ENDPOINTS: (one) => list(value(one, "endpoints"), "addresses") },
  Gateway: { SELECTOR: (one) => pairs(value(one, "spec.selector")), HOSTS: (one) => list(value(one, "spec.servers"), "hosts") },
  VirtualService: { GATEWAYS: at("spec.gateways"), HOSTS: at("spec.hosts") },
  DestinationRule: { HOST: at("spec.host"), SUBSETS: (one) => list(value(one, "spec.subsets"), "name") },
  ServiceEntry: { HOSTS: at("spec.hosts"), LOCATION: at("spec.location", "MESH_EXTERNAL"), RESOLUTION: at("spec.resolution", "NONE") },
  WorkloadEntry: { ADDRESS: at("spec.address") },
  PeerAuthentication: { MODE: at("spec.mtls.mode", "<inherited>") },
  RequestAuthentication: { ISSUERS: (one) => list(value(one, "spec.jwtRules"), "issuer") },
  AuthorizationPolicy: { ACTION: at("spec.action", "ALLOW"), RULES: (one) => String(asList(value(one, "spec.rules")).length) },
};

export function columnsOf(
  kind: string,
  shown: { readonly namespace: boolean; readonly now: number; readonly cwd: string },
): readonly Column<ApiResource>[] {
  const own = Object.entries(BY_KIND[kind] ?? {}).map(([heading, cell]) => ({
    heading,
    cell,
    ...(heading === "CLUSTER-IP" && { optional: true as const }),
  }));
  return [
    ...(shown.namespace ? [{ heading: "NAMESPACE", cell: (one: ApiResource) => one.metadata.namespace ?? "" }] : []),
    { heading: "NAME", cell: (one) => one.metadata.name },
    ...own,
    { heading: "AGE", cell: (one) => ageOf(one, shown.now), optional: true },
    { heading: "SOURCE", cell: (one) => renderPlace(one.metadata.annotations?.["kumiko.dev/source"] ?? "", shown.cwd), wide: true },
  ];
}

/** What a folder declares has no time at which it was made. */
function ageOf({ metadata }: ApiResource, now: number): string {
  return metadata.creationTimestamp === undefined ? "" : renderAge(metadata.creationTimestamp, now);
}

function at(path: string, otherwise = ""): (resource: ApiResource) => string {
  return (resource) => text(resource, path) || otherwise;
}

function text(resource: ApiResource, path: string): string {
  const found = value(resource, path);
  if (Array.isArray(found)) return found.join(",");
  return typeof found === "string" || typeof found === "number" ? String(found) : "";
}

function value(resource: ApiResource, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (node, key) => (typeof node === "object" && node !== null ? (node as Record<string, unknown>)[key] : undefined),
      resource,
    );
}

function asList(found: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(found) ? found.filter((item) => typeof item === "object" && item !== null) : [];
}

/** One field of each item, joined; lists within are laid flat. */
function list(items: unknown, field: string): string {
  return asList(items)
    .flatMap((item) => item[field] ?? [])
    .join(",");
}

function pairs(labels: unknown): string {
  return Object.entries((labels ?? {}) as Record<string, unknown>)
    .map(([key, label]) => `${key}=${String(label)}`)
    .join(",");
}

function ports(service: ApiResource): string {
  return asList(value(service, "spec.ports"))
    .map((port) => `${String(port["port"])}/${String(port["protocol"] ?? "TCP")}`)
    .join(",");
}

function replicasReady(one: ApiResource): string {
  return `${text(one, "status.readyReplicas") || 0}/${text(one, "spec.replicas") || 1}`;
}

function podReady(pod: ApiResource): string {
  const containers = asList(value(pod, "spec.containers")).length;
  const statuses = asList(value(pod, "status.containerStatuses"));
  const ready = statuses.length > 0 ? statuses.filter((one) => one["ready"] === true).length : isPodReady(pod as PodBody) ? containers : 0;
  return `${ready}/${containers}`;
}

function restarts(pod: ApiResource): number {
  return asList(value(pod, "status.containerStatuses")).reduce((sum, one) => sum + (Number(one["restartCount"]) || 0), 0);
}
