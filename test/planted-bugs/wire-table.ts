import { fromBinary } from "@bufbuild/protobuf";
import { RouteConfigurationSchema } from "../../src/gen/envoy/config/route/v3/route_pb.js";
import { startWire, type WireCase, wireNet, type WireWorld } from "../../src/testing/wire-agreement.ts";
import { istioYaml, podYaml, serviceYaml } from "../../src/testing/wire-mesh.ts";
import { encodeResource } from "../../src/translate/envoy/any.ts";
import type { EnvoyResource } from "../../src/translate/envoy/resource.ts";

const NET = wireNet(60);
const at = (last: number) => `${NET}.${last}`;
const [WEB, USERS1, USERS2, COPY, HALF1, HALF2, DB, OTHER] = [2, 3, 4, 5, 6, 7, 8, 9].map(at) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];
const VIP = {
  users: "10.96.7.1",
  copy: "10.96.7.2",
  half: "10.96.7.3",
  db: "10.96.7.4",
  tls: "10.96.7.5",
  named: "10.96.7.6",
  empty: "10.96.7.7",
};
const CALLER = "spiffe://cluster.local/ns/shop/sa";
const GONE = "x-gone";

const to = (host: string, subset?: string, weight?: number) => ({
  destination: { host, ...(subset !== undefined && { subset }) },
  ...(weight !== undefined && { weight }),
});
const on = (path: string, route: object) => ({ match: [{ uri: { prefix: path } }], route: [to("users", "v1")], ...route });
const subsets = ["v1", "v2"].map((name) => ({ name, labels: { version: name } }));
const users = { labels: { app: "users", version: "v1" }, ports: { http: 9200, "tcp-db": 9100, "tls-a": 9443 }, account: "users" };

const MESH = [
  podYaml("web", WEB),
  podYaml("other", OTHER),
  podYaml("users-1", USERS1, users),
  podYaml("users-2", USERS2, { ...users, labels: { app: "users", version: "v2" } }),
  podYaml("copy", COPY, { ports: { http: 9200 } }),
  podYaml("half-1", HALF1, { labels: { app: "half" }, ports: { http: 9200 }, sidecar: false }),
  podYaml("half-2", HALF2, { labels: { app: "half" }, sidecar: false }),
  podYaml("db", DB, { ports: { "tcp-db": 9100, auto: 9180, "tls-own": 9443, http: 9200 } }),
  serviceYaml("users", VIP.users, { http: [3080, 9200] }),
  serviceYaml("copy", VIP.copy, { http: [3080, 9200] }),
  serviceYaml("half", VIP.half, { http: [3080, 9200] }),
  serviceYaml("db", VIP.db, { "tcp-db": [3000, 9100], "tcp-open": [3001, 9100] }, { app: "users" }),
  serviceYaml("tls", VIP.tls, { tls: [3443, 9443] }, { app: "users" }),
  serviceYaml("named", VIP.named, { http: [3080, 9200] }, { app: "users" }),
  serviceYaml("empty", VIP.empty, { http: [3080, 9200] }, { app: "nobody" }),
  ...["users", "db", "tls"].map((host) => istioYaml("DestinationRule", host, { host, subsets })),
  istioYaml("DestinationRule", "named", {
    host: "named",
    trafficPolicy: { tls: { mode: "ISTIO_MUTUAL", subjectAltNames: [`${CALLER}/nobody`] } },
  }),
  // By turns: the other endpoint is next when one refuses.
  istioYaml("DestinationRule", "half", { host: "half", trafficPolicy: { loadBalancer: { simple: "ROUND_ROBIN" } } }),
  istioYaml("VirtualService", "users", {
    hosts: ["users"],
    http: [
      on("/weights", { route: [to("users", "v1", 95), to("users", "v2", 5)] }),
      on("/copied", { mirror: { host: "copy" } }),
      on("/retried", { retries: { attempts: 2, retryOn: "5xx" } }),
      on("/half", { retries: { attempts: 2, retryOn: "connect-failure" }, route: [to("half")] }),
      on("/late", { timeout: "0.2s" }),
      on("/slow", { timeout: "2s", retries: { attempts: 1, perTryTimeout: "0.2s", retryOn: "5xx" } }),
      on("/gone", { headers: { request: { set: { [GONE]: "1" } } } }),
      on("/", {}),
    ],
  }),
  istioYaml("VirtualService", "db", {
    hosts: ["db"],
    tcp: [
      { match: [{ port: 3000, destinationSubnets: ["10.96.0.0/16"] }], route: [to("db", "v1")] },
      { match: [{ port: 3000, destinationSubnets: [`${VIP.db}/32`] }], route: [to("db", "v2")] },
      { match: [{ port: 3001 }], route: [to("db", "v1", 50), to("db", "v2", 50)] },
    ],
  }),
  istioYaml("VirtualService", "tls", {
    hosts: ["tls", "*.wild.test", "exact.wild.test"],
    tls: [
      { match: [{ sniHosts: ["exact.wild.test"] }], route: [to("tls", "v1")] },
      { match: [{ sniHosts: ["*.wild.test"] }], route: [to("tls", "v2")] },
    ],
  }),
  istioYaml("PeerAuthentication", "users", { selector: { matchLabels: { app: "users" } }, mtls: { mode: "STRICT" } }),
  istioYaml("AuthorizationPolicy", "users", {
    selector: { matchLabels: { app: "users" } },
    action: "DENY",
    rules: [{ from: [{ source: { principals: [`cluster.local/ns/shop/sa/other`] } }], to: [{ operation: { paths: ["/only-web"] } }] }],
  }),
  istioYaml("AuthorizationPolicy", "db", {
    selector: { matchLabels: { app: "db" } },
    action: "DENY",
    rules: [{ to: [{ operation: { ports: ["9100"] } }] }],
  }),
];

/** Where applications end TLS themselves. */
const OWN_TLS = { "db:9443": "db.test", "db:9180": "db.test", "users-1:9443": "users.test", "users-2:9443": "users.test" };

/** Routes that set the header lose their cluster, as they do while it is on its way. */
function loseCluster(resource: EnvoyResource): EnvoyResource {
  if (resource.type !== "route") return resource;
  const table = fromBinary(RouteConfigurationSchema, resource.bytes);
  for (const { action, requestHeadersToAdd } of table.virtualHosts.flatMap(({ routes }) => routes))
    if (action.case === "route" && requestHeadersToAdd.some(({ header }) => header?.key === GONE))
      action.value.clusterSpecifier = { case: "cluster", value: "not-there" };
  return encodeResource(RouteConfigurationSchema, table, resource);
}

export function startWireTable(): Promise<WireWorld> {
  return startWire(MESH.join(""), { settings: { profile: "istio" }, tlsPorts: OWN_TLS, alter: loseCluster });
}

const http = (service: keyof typeof VIP, path: string, more: WireCase = {}): WireCase => ({
  destination: { address: VIP[service], port: 3080 },
  authority: `${service}:3080`,
  path,
  ...more,
});
const echo = (statuses: string): WireCase => ({ headers: [["x-echo-status", statuses]] });
const delayed: WireCase = { headers: [["x-echo-delay-ms", "400"]] };
const bytes = (service: keyof typeof VIP, port: number, more: WireCase = {}): WireCase => ({
  protocol: "tcp",
  destination: { address: VIP[service], port },
  ...more,
});
const tls = (sni: string): WireCase => ({ protocol: "tls", destination: { address: VIP.tls, port: 3443 }, tls: { sni, alpn: [] } });
const outside = (name: string, address: string, port: number, more: WireCase = {}): WireCase => ({
  from: { kind: "outside", workload: { namespace: "shop", name } },
  destination: { address, port },
  sourceAddress: at(200),
  authority: name,
  path: "/",
  ...more,
});
const hello = (of: "mesh" | "stranger" | undefined, alpn: readonly string[], expired = false): WireCase => ({
  tls: { sni: "x.test", alpn, ...(of !== undefined && { certificate: { of, uri: `${CALLER}/web`, expired } }) },
});

export const WIRE_CASES: readonly (readonly [title: string, given: WireCase])[] = [
  ["two weights", http("users", "/weights", { repeat: 70 })],
  ["a mirrored request", http("users", "/copied")],
  ["answered at the last try", http("users", "/retried", echo("503,503,200"))],
  ["answered at once", http("users", "/retried", echo("404"))],
  ["one of two endpoints refuses", http("users", "/half", { repeat: 20 })],
  ["later than the timeout", http("users", "/late", delayed)],
  ["later than the time of one try", http("users", "/slow", delayed)],
  ["a cluster that isn't there", http("users", "/gone")],
  ["a Service without endpoints", http("empty", "/")],
  [
    "a denied caller",
    http("users", "/only-web", { by: "other", from: { kind: "workload", workload: { namespace: "shop", name: "other" } } }),
  ],
  ["another caller", http("users", "/only-web")],
  [
    "gRPC to a denied path",
    http("users", "/only-web", {
      protocol: "grpc",
      method: "POST",
      from: { kind: "workload", workload: { namespace: "shop", name: "other" } },
    }),
  ],
  ["a server with another name", http("named", "/")],
  ["TCP by the narrowest subnet", bytes("db", 3000)],
  ["TCP to two destinations", bytes("db", 3001, { repeat: 20 })],
  ["TLS for the exact name", tls("exact.wild.test")],
  ["TLS for another name", tls("other.wild.test")],
  ["plaintext where mTLS is asked for", outside("users-1", USERS1, 9200)],
  ["TLS without a certificate", outside("users-1", USERS1, 9200, hello(undefined, ["istio"]))],
  ["a caller's certificate", outside("users-1", USERS1, 9200, hello("mesh", ["istio-http/1.1", "istio"]))],
  ["a stranger's certificate", outside("users-1", USERS1, 9200, hello("stranger", ["istio-http/1.1", "istio"]))],
  ["an expired certificate", outside("users-1", USERS1, 9200, hello("mesh", ["istio-http/1.1", "istio"], true))],
  ["plaintext where it is allowed", outside("db", DB, 9200)],
  ["TLS of its own beside mTLS", outside("db", DB, 9443, { protocol: "tls", ...hello(undefined, ["h2"]) })],
  ["TLS of its own on any port", outside("db", DB, 9180, { protocol: "tls", ...hello(undefined, ["http/1.1"]) })],
  ["TCP that a policy denies", outside("db", DB, 9100, { protocol: "tcp" })],
];
