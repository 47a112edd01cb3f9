import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startWire, type WireCase, wireNet, type WireWorld } from "../testing/wire-agreement.ts";
import { wireRoutes } from "../testing/wire-routes.ts";
import { istioYaml, podYaml, secretYaml, serviceYaml } from "../testing/wire-mesh.ts";

const NET = wireNet(2);
const at = (last: number) => `${NET}.${last}`;
const [WEB, USERS1, USERS2, COPY, GATEWAY, DEAD] = [at(2), at(3), at(4), at(5), at(6), at(7)];
const VIP = { users: "10.96.7.1", grpc: "10.96.7.2", copy: "10.96.7.3", dead: "10.96.7.4", empty: "10.96.7.5" };
const USERS = "users.shop.svc.cluster.local";
const GRPC = "grpc.shop.svc.cluster.local";

const subsets = (host: string) =>
  istioYaml("DestinationRule", host, { host, subsets: ["v1", "v2"].map((name) => ({ name, labels: { version: name } })) });

const MESH = [
  podYaml("web", WEB),
  podYaml("users-1", USERS1, { labels: { app: "users", version: "v1" }, ports: { http: 9200, grpc: 9201 }, account: "users" }),
  podYaml("users-2", USERS2, { labels: { app: "users", version: "v2" }, ports: { http: 9200, grpc: 9201 }, account: "users" }),
  podYaml("copy", COPY, { ports: { http: 9200 } }),
  podYaml("dead", DEAD, { ports: {}, sidecar: false }),
  podYaml("gateway", GATEWAY, { labels: { istio: "ingressgateway" }, sidecar: false }),
  serviceYaml("users", VIP.users, { http: [3080, 9200] }),
  serviceYaml("grpc", VIP.grpc, { grpc: [3090, 9201] }, { app: "users" }),
  serviceYaml("copy", VIP.copy, { http: [3080, 9200] }),
  serviceYaml("dead", VIP.dead, { http: [3080, 9209] }),
  serviceYaml("empty", VIP.empty, { http: [3080, 9209] }, { app: "nobody" }),
  subsets("users"),
  subsets("grpc"),
  istioYaml("VirtualService", "users", { hosts: [USERS, "a.test", "*.wild.test"], gateways: ["mesh", "public"], http: wireRoutes(USERS) }),
  istioYaml("VirtualService", "grpc", { hosts: [GRPC, "g.test"], gateways: ["mesh", "public"], http: wireRoutes(GRPC) }),
  istioYaml("AuthorizationPolicy", "deny", {
    selector: { matchLabels: { app: "users" } },
    action: "DENY",
    rules: [{ to: [{ operation: { paths: ["/denied", "/shop.Users/Denied"] } }] }],
  }),
  istioYaml("AuthorizationPolicy", "allow", { rules: [{}] }),
];

const GATEWAYS = istioYaml("Gateway", "public", {
  selector: { istio: "ingressgateway" },
  servers: [
    { port: { number: 8081, name: "http", protocol: "HTTP" }, hosts: ["*"] },
    {
      port: { number: 8443, name: "simple", protocol: "HTTPS" },
      hosts: ["a.test", "g.test", "*.wild.test"],
      tls: { mode: "SIMPLE", credentialName: "site" },
    },
    {
      port: { number: 8443, name: "mutual", protocol: "HTTPS" },
      hosts: ["mutual.wild.test"],
      tls: { mode: "MUTUAL", credentialName: "mutual" },
    },
    {
      port: { number: 8443, name: "optional", protocol: "HTTPS" },
      hosts: ["optional.wild.test"],
      tls: { mode: "OPTIONAL_MUTUAL", credentialName: "mutual" },
    },
    { port: { number: 8443, name: "passed", protocol: "TLS" }, hosts: ["passed.test"], tls: { mode: "PASSTHROUGH" } },
    {
      port: { number: 8444, name: "only", protocol: "HTTPS" },
      hosts: ["*"],
      tls: { mode: "MUTUAL", credentialName: "mutual", subjectAltNames: ["spiffe://client/good"] },
    },
    { port: { number: 8445, name: "ended", protocol: "TLS" }, hosts: ["ended.test"], tls: { mode: "SIMPLE", credentialName: "site" } },
    { port: { number: 8446, name: "bytes", protocol: "TCP" }, hosts: ["*"] },
    { port: { number: 8447, name: "mesh", protocol: "HTTPS" }, hosts: ["*"], tls: { mode: "ISTIO_MUTUAL" } },
    { port: { number: 8448, name: "moved", protocol: "HTTP" }, hosts: ["*"], tls: { httpsRedirect: true } },
  ],
});

const BYTES = [
  istioYaml("VirtualService", "passed", {
    hosts: ["passed.test"],
    gateways: ["public"],
    tls: [{ match: [{ sniHosts: ["passed.test"] }], route: [{ destination: { host: USERS, port: { number: 3080 }, subset: "v1" } }] }],
  }),
  istioYaml("VirtualService", "ended", {
    hosts: ["ended.test"],
    gateways: ["public"],
    tcp: [{ match: [{ port: 8445 }], route: [{ destination: { host: USERS, port: { number: 3080 }, subset: "v2" } }] }],
  }),
  istioYaml("VirtualService", "bytes", {
    hosts: ["*"],
    gateways: ["public"],
    tcp: [{ match: [{ port: 8446 }], route: [{ destination: { host: USERS, port: { number: 3080 }, subset: "v2" } }] }],
  }),
];

const users = (path: string, more: WireCase = {}): WireCase => ({
  destination: { address: VIP.users, port: 3080 },
  authority: "users:3080",
  path,
  ...more,
});
const grpc = (path: string, more: WireCase = {}): WireCase => ({
  destination: { address: VIP.grpc, port: 3090 },
  authority: "grpc:3090",
  path,
  method: "POST",
  protocol: "grpc",
  ...more,
});
const echo = (statuses: string, more: WireCase = {}): WireCase => ({
  ...more,
  headers: [["x-echo-status", statuses], ...(more.headers ?? [])],
});
const header = (name: string, value: string): WireCase => ({ headers: [[name, value]] });
const h2: WireCase = { protocol: "http2" };
const gateway = (port: number, path: string, more: WireCase = {}): WireCase => ({
  from: { kind: "gateway", workload: { namespace: "shop", name: "gateway" } },
  destination: { address: GATEWAY, port },
  sourceAddress: at(200),
  authority: "a.test",
  path,
  ...more,
});

/** Through two sidecars in HTTP/2. */
const RESETS: readonly WireCase[] = [
  grpc("/", { headers: [["x_under", "1"]] }),
  grpc("/retry-reset", { headers: [["x_under", "1"]] }),
  grpc("/", { headers: Array.from({ length: 96 }, (_, i) => [`x-many-${i}`, "1"] as const) }),
];

const RETRIES: readonly WireCase[] = [
  ...["200", "500", "503", "503,200", "500,503,200", "503,503,503,200", "404", "409,200", "504,502,500,200"].flatMap((statuses) =>
    ["/retry-5xx", "/retry-503", "/retry-4xx", "/retry-none", "/retry-default", "/retry-both"].map((path) => users(path, echo(statuses))),
  ),
  ...["14,0", "1,8,0", "14,14,14,0", "13,0", "2"].flatMap((codes) =>
    ["/retry-grpc", "/retry-5xx", "/retry-default", "/retry-none"].map((path) => grpc(path, header("x-echo-grpc", codes))),
  ),
  ...["503,200", "200"].flatMap((statuses) => ["/retry-5xx", "/retry-grpc", "/retry-503"].map((path) => grpc(path, echo(statuses)))),
  ...["/retry-reset", "/retry-gateway", "/retry-refused"].flatMap((path) => [users(path), users(path, h2), grpc(path)]),
  ...["/retry-time", "/retry-tried", "/retry-over", "/time"].flatMap((path) => [
    users(path, header("x-echo-delay-ms", "500")),
    users(path, header("x-echo-delay-ms", "10")),
    grpc(path, header("x-echo-delay-ms", "500")),
    grpc(path, header("x-echo-delay-ms", "10")),
  ]),
  grpc("/x", {
    headers: [
      ["grpc-timeout", "200m"],
      ["x-echo-delay-ms", "500"],
    ],
  }),
  grpc("/time", {
    headers: [
      ["grpc-timeout", "100m"],
      ["x-echo-delay-ms", "200"],
    ],
  }),
];

const SIMPLE_PATHS = [
  "/",
  "/denied",
  "/fault-half",
  "/fault-none",
  "/fault-all",
  "/fault-503",
  "/fault-grpc",
  "/fault-delay",
  "/fault-redirect",
  "/mirror-none",
  "/mirror-all",
  "/mirror-dead",
  "/mirror-nowhere",
  "/mirror-empty",
  "/direct",
  "/redirect",
  "/redirect?x=1",
  "/weights",
  "/zero",
  "/missing",
  "/headers",
  "/headers/x?y=1",
  "/cors",
  "/a//b",
  "/./denied",
  "/x#y",
] as const;

const OF_PROTOCOLS: readonly WireCase[] = SIMPLE_PATHS.flatMap((path) => [
  users(path),
  users(path, h2),
  grpc(path),
  grpc(path, { protocol: "http2", method: "GET" }),
  gateway(8081, path),
  gateway(8081, path, h2),
  gateway(8081, path, { protocol: "grpc", method: "POST", authority: "g.test" }),
]);

const many = (count: number) => Array.from({ length: count }, (_, i) => [`x-many-${i}`, "1"] as const);
const origin = (value: string, more: readonly (readonly [string, string])[] = []): WireCase => ({ headers: [["origin", value], ...more] });
const preflight = (value: string, method = "PUT"): WireCase => ({
  method: "OPTIONS",
  headers: [
    ["origin", value],
    ["access-control-request-method", method],
    ["access-control-request-headers", "x-a"],
  ],
});
const MORE: readonly WireCase[] = [
  users("/fault-half", header("x-half", "1")),
  ...["https://a.test", "https://x.b.test", "https://x.c.test", "null"].flatMap((value) =>
    ["/cors", "/cors-forward", "/"].flatMap((path) => [
      users(path, origin(value)),
      users(path, { ...h2, ...preflight(value) }),
      gateway(8081, path, preflight(value)),
    ]),
  ),
  ...[users, (path: string, more: WireCase = {}) => gateway(8081, path, more)].flatMap((way) => [
    way("/", { protocol: "websocket" }),
    way("/denied", { protocol: "websocket" }),
    way("/direct", { protocol: "websocket" }),
    way("/redirect", { protocol: "websocket" }),
    way("/missing", { protocol: "websocket" }),
    way("/fault-all", { protocol: "websocket" }),
    way("/", { protocol: "websocket", headers: [["x-echo-status", "403"]] }),
    way("/", {
      headers: [
        ["upgrade", "h2c"],
        ["connection", "upgrade"],
      ],
    }),
    way("/", {
      headers: [
        ["upgrade", "other"],
        ["connection", "upgrade"],
      ],
    }),
    ...[97, 98, 99, 100].map((count) => way("/", { headers: many(count - 2) })),
    way("/", { headers: many(120) }),
    way("/", { headers: [["x-big", "a".repeat(50_000)]] }),
    way("/", { headers: [["x-big", "a".repeat(70_000)]] }),
    way("/", { headers: [["upgrade", "websocket"]] }),
    way("/", { ...h2, headers: [["x-big", "a".repeat(50_000)]] }),
    way("/", { ...h2, headers: [["x-big", "a".repeat(70_000)]] }),
    ...[94, 95, 96, 97].map((count) => way("/", { ...h2, headers: many(count) })),
    way("/", { ...h2, headers: many(120) }),
    way("/", {
      ...h2,
      headers: [
        ["x_under", "1"],
        ["te", "trailers"],
      ],
    }),
    way("/", {
      ...h2,
      headers: [
        ["x-forwarded-proto", "https"],
        ["x-forwarded-for", "1.2.3.4"],
      ],
    }),
    way("/", {
      ...h2,
      headers: [
        ["cookie", "a=b"],
        ["cookie", "c=d"],
      ],
    }),
    way("/", { ...h2, authority: "nobody.test" }),
    way("/", { ...h2, authority: "A.test:99" }),
    way("/", { ...h2, method: "PURGE" }),
    way("/", { ...h2, method: "WHATEVER" }),
  ]),
];

const sni = (name: string | undefined, alpn: readonly string[] = []) => ({ alpn, ...(name !== undefined && { sni: name }) });
const client = (of: "clients" | "stranger" | "mesh", uri = "spiffe://client/good", expired = false) => ({ of, uri, expired });
const TLS: readonly WireCase[] = [
  ...["a.test", "A.TEST", "g.test", "x.wild.test", "x.y.wild.test", "wild.test", "passed.test", "nobody.test", undefined].flatMap(
    (name) => [
      gateway(8443, "/", { tls: sni(name), authority: name ?? "a.test" }),
      gateway(8443, "/", { tls: sni(name, ["h2"]), ...h2, authority: name ?? "a.test" }),
      gateway(8443, "/", { tls: sni(name, ["h2", "http/1.1"]), protocol: "tls" }),
      gateway(8445, "/", { tls: sni(name), protocol: "tls" }),
    ],
  ),
  gateway(8445, "/", { tls: sni("ended.test"), protocol: "tls" }),
  gateway(8445, "/", { tls: sni("ended.test"), authority: "a.test" }),
  gateway(8446, "/", { protocol: "tcp" }),
  gateway(8446, "/", { authority: "a.test" }),
  gateway(8446, "/", { tls: sni("a.test"), protocol: "tls" }),
  gateway(8443, "/"),
  gateway(8443, "/", { protocol: "tcp" }),
  gateway(8448, "/x?y=1"),
  gateway(8448, "/x", { authority: "a.test:80", ...h2 }),
  gateway(8448, "/x", { authority: "a.test:80" }),
  gateway(8448, "/x", { authority: "a.test:8448" }),
  gateway(8448, "/x", { headers: [["x-forwarded-proto", "https"]] }),
  gateway(8443, "/", { tls: sni("a.test"), authority: "x.wild.test" }),
  gateway(8443, "/", { tls: sni("mutual.wild.test"), authority: "mutual.wild.test" }),
  gateway(8443, "/denied", { tls: sni("a.test", ["h2"]), protocol: "grpc", method: "POST", authority: "g.test" }),
  ...["mutual.wild.test", "optional.wild.test"].flatMap((name) =>
    [
      undefined,
      client("clients"),
      client("clients", "spiffe://client/bad"),
      client("clients", "spiffe://client/good", true),
      client("stranger"),
    ].map((certificate) =>
      gateway(8443, "/", { authority: name, tls: { ...sni(name, ["http/1.1"]), ...(certificate !== undefined && { certificate }) } }),
    ),
  ),
  ...[undefined, client("clients"), client("clients", "spiffe://client/bad"), client("stranger")].map((certificate) =>
    gateway(8444, "/", { tls: { ...sni("any.test", ["h2"]), ...(certificate !== undefined && { certificate }) }, ...h2 }),
  ),
  ...[
    undefined,
    client("mesh", "spiffe://cluster.local/ns/shop/sa/web"),
    client("mesh", "spiffe://else/ns/shop/sa/web"),
    client("stranger"),
  ].map((certificate) =>
    gateway(8447, "/", { tls: { ...sni("any.test", ["h2"]), ...(certificate !== undefined && { certificate }) }, ...h2 }),
  ),
];

const title = ({ from, destination, protocol = "http1", tls, authority = "", method = "GET", path = "", headers = [] }: WireCase) =>
  `${from?.kind ?? "web"} ${protocol} ${destination?.port} ${method} ${authority} ${path} ${JSON.stringify(tls ?? {})} ${JSON.stringify(headers).slice(0, 200)}`;

describe.each([
  { name: "Istio's defaults", profile: "istio" as const },
  { name: "zero trust", profile: "zero-trust" as const },
])("evaluator and Envoys agree on requests, $name", ({ profile }) => {
  let world: WireWorld;
  beforeAll(async () => {
    world = await startWire(
      ({ servers, clients }) => {
        const site = servers.issue({ hosts: ["a.test", "*.wild.test"] });
        const secret = { "tls.crt": site.chainPem, "tls.key": site.keyPem };
        const secrets = [secretYaml("site", secret), secretYaml("mutual", { ...secret, "ca.crt": clients.rootPem })];
        return [...MESH, GATEWAYS, ...BYTES, ...secrets].join("");
      },
      { settings: { profile } },
    );
  });
  afterAll(() => world?.close());

  test.each([...RESETS, ...RETRIES, ...OF_PROTOCOLS, ...MORE, ...TLS].map((given) => [title(given), given] as const))(
    "%s",
    async (_title, given) => {
      const found = await world.ask(given);
      expect(found, found.join("; ")).toEqual([]);
    },
  );
});
