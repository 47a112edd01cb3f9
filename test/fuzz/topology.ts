import type { Document } from "./document.ts";

/** What runs in every generated mesh, so that the same Envoys serve all of them. */
export const WORKLOADS = [
  { name: "client", namespace: "shop", labels: { app: "client" }, serviceAccount: "client", ports: [8080] },
  {
    name: "users-v1",
    namespace: "shop",
    labels: { app: "users", version: "v1" },
    serviceAccount: "users",
    ports: [8080, 8081, 9000, 7000],
  },
  {
    name: "users-v2",
    namespace: "shop",
    labels: { app: "users", version: "v2" },
    serviceAccount: "users",
    ports: [8080, 8081, 9000, 7000],
  },
  { name: "orders", namespace: "shop", labels: { app: "orders", version: "v1" }, serviceAccount: "orders", ports: [8080] },
  { name: "store", namespace: "data", labels: { app: "store" }, serviceAccount: "store", ports: [8080, 5432, 8443, 3306, 6000] },
  { name: "judge", namespace: "shop", labels: { app: "judge" }, serviceAccount: "judge", ports: [8000, 9001] },
  { name: "legacy", namespace: "data", labels: { app: "legacy", "sidecar.istio.io/inject": "false" }, ports: [8080] },
  { name: "edge", namespace: "istio-system", labels: { istio: "ingressgateway" }, serviceAccount: "edge", ports: [8080, 8443, 9090, 5432] },
] as const;

/** Workloads that call through a sidecar of their own. */
export const CALLERS = ["client", "orders", "store"] as const;

const SERVICES = [
  { namespace: "shop", name: "users", app: "users", ports: [port("http", 80, 8080), port("any", 81, 8081), port("grpc", 9000, 9000)] },
  { namespace: "shop", name: "orders", app: "orders", ports: [port("http", 80, 8080)] },
  { namespace: "shop", name: "judge", app: "judge", ports: [port("http", 8000, 8000), port("grpc", 9001, 9001)] },
  { namespace: "shop", name: "empty", app: "nobody", ports: [port("http", 80, 8080)] },
  {
    namespace: "data",
    name: "store",
    app: "store",
    ports: [port("http", 80, 8080), port("tcp", 5432, 5432), port("mysql", 3306, 3306), port("any", 6000, 6000)],
  },
  { namespace: "data", name: "vault", app: "store", ports: [port("tls", 443, 8443)] },
  { namespace: "data", name: "legacy", app: "legacy", ports: [port("http", 80, 8080)] },
] as const;

function port(name: string, number: number, targetPort: number): { name: string; port: number; targetPort: number } {
  return { name, port: number, targetPort };
}

/** The Services of every generated mesh. */
export function services(): readonly Document[] {
  const inner = SERVICES.map(({ namespace, name, app, ports }) => service(namespace, name, { app }, ports));
  const edge = service("istio-system", "edge", { istio: "ingressgateway" }, [
    port("http", 80, 8080),
    port("https", 443, 8443),
    port("tcp", 5432, 5432),
  ]);
  return [...inner, edge];
}

function service(namespace: string, name: string, selector: object, ports: readonly object[]): Document {
  return { apiVersion: "v1", kind: "Service", metadata: { namespace, name }, spec: { selector, ports } };
}

/** A range of addresses that an entry of the mesh opens for its own name. */
export const OUTSIDE_RANGE = {
  name: "range.example.com",
  range: "192.0.2.0/24",
  inside: "192.0.2.9",
  beside: "198.18.77.9",
  port: 9443,
} as const;

/** Clients outside the mesh connect from these. */
export const CLIENT_ADDRESSES = ["203.0.113.10", "10.9.8.7", "198.51.100.7"] as const;

/** The resolver knows them all the time: a proxy asks again only after seconds. */
export const OUTSIDE_HOSTS = ["api.example.com", "other.example.net", "a.cdn.example.com", "cdn.example.com"] as const;

export const USERS = "users.shop.svc.cluster.local";
export const ISSUERS = ["https://idp.example.com", "https://partner.example.com"] as const;

/** Pods have their addresses in order of namespace and name. */
export function addressOf(name: string): string {
  const names = WORKLOADS.map((workload) => `${workload.namespace}/${workload.name}`).toSorted();
  return `10.244.1.${2 + names.findIndex((known) => known.endsWith(`/${name}`))}`;
}
