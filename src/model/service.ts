import type { Origin } from "./origin.ts";

/** A name that clients call: a Kubernetes Service, or one host of a ServiceEntry. */
export interface Service {
  /** `users.shop.svc.cluster.local`, or a ServiceEntry's host (`*.example.com` too). */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly kind: "kubernetes" | "service-entry";
  /** Virtual addresses that were declared (a CIDR range is possible in a ServiceEntry); empty for a headless service. */
  readonly addresses: readonly string[];
  /** The mesh's own choice where none was declared: only clients whose names the mesh answers know it. */
  readonly allocatedAddress?: string;
  /** Clients get the endpoints' addresses from DNS. */
  readonly headless: boolean;
  readonly ports: readonly ServicePort[];
  readonly resolution: Resolution;
  /** Outside the mesh (MESH_EXTERNAL): no sidecar, no identity of ours. */
  readonly external: boolean;
  /** Names that a ServiceEntry says its endpoints' certificates carry. */
  readonly subjectAltNames: readonly string[];
  /** Labels of the workloads behind it; absent where endpoints are listed. */
  readonly selector?: Readonly<Record<string, string>>;
  /** Namespaces that may see it: names, `*` (all), `.` (its own), `~` (none). */
  readonly exportTo: readonly string[];
  /** RFC 3339; the older of two claims to a host wins. Empty where unknown. */
  readonly created: string;
  readonly origin: Origin;
  /** Hash of all of the above. What is made of it carries its origin, too. */
  readonly hash: string;
}

/** Where a service's endpoints come from: listed or selected; by DNS (all addresses, or one after the other); wherever the client went. */
export type Resolution = "static" | "dns" | "dns-round-robin" | "none";

export interface ServicePort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** Number, or the name of a workload's port. */
  readonly targetPort: number | string;
}

/** `auto`: not declared, so that the proxy looks at the first bytes. */
export type Protocol = "http" | "http2" | "grpc" | "grpc-web" | "https" | "tls" | "tcp" | "mongo" | "redis" | "mysql" | "udp" | "auto";

const PROTOCOLS: ReadonlySet<string> = new Set([
  "http",
  "http2",
  "grpc",
  "grpc-web",
  "https",
  "tls",
  "tcp",
  "mongo",
  "redis",
  "mysql",
  "udp",
]);

/** The protocol that a word names, whatever its case; undefined for another word. */
export function parseProtocol(word: string): Protocol | undefined {
  const lower = word.toLowerCase();
  return PROTOCOLS.has(lower) ? (lower as Protocol) : undefined;
}

export function isHttp(protocol: Protocol): boolean {
  return protocol === "http" || protocol === "http2" || protocol === "grpc" || protocol === "grpc-web";
}

export function isHttp2(protocol: Protocol): boolean {
  return protocol === "http2" || protocol === "grpc" || protocol === "grpc-web";
}

/** The client itself speaks TLS; the proxy sees no more than the server name. */
export function isTls(protocol: Protocol): boolean {
  return protocol === "https" || protocol === "tls";
}
