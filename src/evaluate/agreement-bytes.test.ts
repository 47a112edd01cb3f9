import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startWire, type WireCase, wireNet, type WireWorld } from "../testing/wire-agreement.ts";
import { istioYaml, meshConfigYaml, podYaml, serviceYaml } from "../testing/wire-mesh.ts";

const NET = wireNet(1);
const at = (last: number) => `${NET}.${last}`;
const [WEB, DB1, DB2, PLAIN, OUTSIDE, UNKNOWN] = [at(2), at(3), at(4), at(5), at(9), at(10)];
const VIP = { db: "10.96.7.1", tls: "10.96.7.2", auto: "10.96.7.3", split: "10.96.7.4", plain: "10.96.7.5" };

const route = (host: string, subset?: string, weight?: number) => ({
  destination: { host, ...(subset !== undefined && { subset }) },
  ...(weight !== undefined && { weight }),
});

const MESH = [
  podYaml("web", WEB),
  podYaml("db-1", DB1, {
    labels: { app: "db", version: "v1" },
    ports: { tcp: 9100, "tcp-b": 9101, "tls-a": 9443, auto: 9180 },
    account: "db",
  }),
  podYaml("db-2", DB2, {
    labels: { app: "db", version: "v2" },
    ports: { tcp: 9100, "tcp-b": 9101, "tls-a": 9443, auto: 9180 },
    account: "db",
  }),
  podYaml("plain", PLAIN, { ports: { tcp: 9100 }, sidecar: false }),
  serviceYaml("db", VIP.db, { tcp: [3000, 9100], "tcp-b": [3001, 9101] }),
  serviceYaml("tls", VIP.tls, { tls: [3443, 9443] }, { app: "db" }),
  serviceYaml("auto", VIP.auto, { any: [3080, 9180] }, { app: "db" }),
  serviceYaml("split", VIP.split, { tcp: [3000, 9100] }, { app: "db" }),
  serviceYaml("plain", VIP.plain, { tcp: [3000, 9100] }),
  ...["db", "tls", "auto", "split"].map((host) =>
    istioYaml("DestinationRule", host, {
      host,
      subsets: [
        { name: "v1", labels: { version: "v1" } },
        { name: "v2", labels: { version: "v2" } },
      ],
    }),
  ),
  istioYaml("VirtualService", "db", {
    hosts: ["db"],
    tcp: [{ match: [{ port: 3001 }], route: [route("db", "v2")] }, { route: [route("db", "v1")] }],
  }),
  istioYaml("VirtualService", "split", { hosts: ["split"], tcp: [{ route: [route("split", "v1", 50), route("split", "v2", 50)] }] }),
  istioYaml("VirtualService", "tls", {
    hosts: ["tls", "*.wild.test", "exact.wild.test"],
    tls: [
      { match: [{ sniHosts: ["exact.wild.test"], port: 3443 }], route: [route("tls", "v1")] },
      { match: [{ sniHosts: ["*.wild.test"] }], route: [route("tls", "v2")] },
      { match: [{ sniHosts: ["tls.shop.svc.cluster.local", "tls"] }], route: [route("tls", "v1")] },
    ],
  }),
  istioYaml("ServiceEntry", "outside", {
    hosts: ["outside.test"],
    addresses: [OUTSIDE],
    ports: [{ number: 7000, name: "tcp", protocol: "TCP" }],
    resolution: "STATIC",
    location: "MESH_EXTERNAL",
    endpoints: [{ address: OUTSIDE }],
  }),
];

const POLICIES = [
  istioYaml("AuthorizationPolicy", "db-deny", {
    selector: { matchLabels: { app: "db", version: "v2" } },
    action: "DENY",
    rules: [
      { to: [{ operation: { ports: ["9101"] } }], from: [{ source: { principals: ["cluster.local/ns/shop/sa/web"] } }] },
      { from: [{ source: { ipBlocks: [`${NET}.128/25`] } }] },
      { when: [{ key: "connection.sni", values: ["*.secret.test"] }] },
      { from: [{ source: { namespaces: ["bad"] } }] },
    ],
  }),
  istioYaml("AuthorizationPolicy", "db-allow", {
    selector: { matchLabels: { app: "db", version: "v1" } },
    rules: [
      { from: [{ source: { principals: ["cluster.local/ns/shop/sa/web"] } }], to: [{ operation: { notPorts: ["9101"] } }] },
      { from: [{ source: { namespaces: ["ops"] } }] },
      { from: [{ source: { remoteIpBlocks: [at(77)] } }] },
    ],
  }),
];

const tcp = (address: string, port: number, more: WireCase = {}): WireCase => ({
  protocol: "tcp",
  destination: { address, port },
  ...more,
});
const tls = (address: string, port: number, sni: string | undefined, alpn: readonly string[] = [], more: WireCase = {}): WireCase => ({
  protocol: "tls",
  destination: { address, port },
  tls: { alpn, ...(sni !== undefined && { sni }) },
  ...more,
});
const http = (address: string, port: number, authority: string, more: WireCase = {}): WireCase => ({
  destination: { address, port },
  authority,
  ...more,
});

const FROM_WEB: readonly WireCase[] = [
  tcp(VIP.db, 3000),
  tcp(VIP.db, 3001),
  tcp(VIP.db, 3002),
  tcp(VIP.split, 3000),
  tcp(VIP.plain, 3000),
  tcp(PLAIN, 9100),
  tcp(DB1, 9100),
  tcp(DB2, 9101),
  tcp(DB1, 9999),
  tcp(VIP.auto, 3080),
  http(VIP.auto, 3080, "auto"),
  http(VIP.auto, 3080, "auto:3080", { protocol: "http2" }),
  http(VIP.auto, 3080, "nobody"),
  tls(VIP.auto, 3080, "x.test", []),
  tcp(OUTSIDE, 7000),
  tcp(OUTSIDE, 7001),
  tcp(UNKNOWN, 7001),
  tcp(UNKNOWN, 3000),
  tcp(UNKNOWN, 3443),
  http(UNKNOWN, 7001, "unknown.test"),
  http(UNKNOWN, 7001, "unknown.test", { protocol: "http2" }),
  http(UNKNOWN, 7001, "unknown.test", { protocol: "grpc", method: "POST" }),
  http(UNKNOWN, 7001, "unknown.test", { protocol: "websocket" }),
  http(UNKNOWN, 7001, "unknown.test", { tls: { alpn: ["http/1.1"], sni: "unknown.test" } }),
  http(UNKNOWN, 7002, "unknown.test"),
  http(UNKNOWN, 3000, "unknown.test"),
  http(UNKNOWN, 3000, "unknown.test", { protocol: "http2" }),
  http(UNKNOWN, 3443, "unknown.test"),
  http(UNKNOWN, 3080, "unknown.test"),
  tls(UNKNOWN, 7001, "unknown.test"),
  tls(UNKNOWN, 3000, "unknown.test"),
  http(OUTSIDE, 7001, "outside.test"),
  http(OUTSIDE, 15_001, "outside.test"),
  http(OUTSIDE, 7000, "outside.test"),
  ...[
    "exact.wild.test",
    "EXACT.wild.test",
    "a.wild.test",
    "a.b.wild.test",
    "wild.test",
    "tls",
    "tls.shop.svc.cluster.local",
    "other.test",
    undefined,
  ].map((sni) => tls(VIP.tls, 3443, sni, [])),
  tls(VIP.tls, 3443, "exact.wild.test", ["h2"]),
  tcp(VIP.tls, 3443),
  http(VIP.tls, 3443, "tls"),
];

const outside = (name: string, sourceAddress = at(200)): WireCase => ({
  from: { kind: "outside", workload: { namespace: "shop", name } },
  sourceAddress,
});
const ALPNS = [
  [],
  ["istio"],
  ["istio-peer-exchange", "istio"],
  ["istio-http/1.1"],
  ["istio-h2"],
  ["h2"],
  ["http/1.1"],
  ["istio", "h2"],
  ["other"],
];
const caller = (uri: string, expired = false) => ({ of: "mesh", uri, expired }) as const;
const web = "spiffe://cluster.local/ns/shop/sa/web";
const CALLERS = [
  undefined,
  caller(web),
  caller("spiffe://cluster.local/ns/ops/sa/x"),
  caller("spiffe://cluster.local/ns/bad/sa/x"),
  caller("spiffe://else.test/ns/shop/sa/web"),
  caller(web, true),
  { of: "stranger", uri: web } as const,
];

const FROM_OUTSIDE: readonly WireCase[] = ["db-1", "db-2"].flatMap((name) => {
  const address = name === "db-1" ? DB1 : DB2;
  return [
    tcp(address, 9100, outside(name)),
    tcp(address, 9100, outside(name, at(77))),
    tcp(address, 9101, outside(name, at(77))),
    tcp(address, 9101, outside(name, at(78))),
    tcp(address, 9443, outside(name, at(78))),
    tcp(address, 9180, outside(name, at(77))),
    tcp(address, 9999, outside(name, at(77))),
    tcp(address, 15_006, outside(name, at(77))),
    http(address, 9180, "db", outside(name, at(77))),
    http(address, 9180, "db", { ...outside(name, at(77)), protocol: "http2" }),
    http(address, 9100, "db", outside(name, at(77))),
    ...[9100, 9180, 9443].flatMap((port) =>
      ALPNS.map((alpn) =>
        tls(address, port, "x.test", alpn, { ...outside(name, at(77)), tls: { sni: "x.test", alpn, certificate: caller(web) } }),
      ),
    ),
    ...CALLERS.flatMap((certificate) =>
      [9100, 9101].map((port) => ({
        ...tcp(address, port, outside(name, at(79))),
        protocol: "tls" as const,
        tls: { sni: "x.test", alpn: ["istio"], ...(certificate !== undefined && { certificate }) },
      })),
    ),
    ...["a.secret.test", "secret.test", "A.SECRET.test"].map((sni) => ({
      ...tcp(address, 9100, outside(name, at(77))),
      protocol: "tls" as const,
      tls: { sni, alpn: ["istio"], certificate: caller(web) },
    })),
  ];
});

const title = ({ from, destination, protocol = "http1", tls: hello, sourceAddress = "", authority = "" }: WireCase) =>
  `${from?.kind ?? "web"} ${from?.workload.name ?? ""} ${sourceAddress.replace(NET, "NET")} ${protocol} ${destination?.address.replace(NET, "NET")}:${destination?.port} ${authority} ${JSON.stringify(hello ?? {})}`;

describe.each([
  { name: "Istio's defaults", extra: [] as readonly string[], profile: "istio" as const, cases: [...FROM_WEB, ...FROM_OUTSIDE] },
  {
    name: "STRICT, only what is known goes out",
    extra: [
      istioYaml("PeerAuthentication", "default", { mtls: { mode: "STRICT" } }, "shop"),
      meshConfigYaml({ outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } }),
    ],
    profile: "istio" as const,
    cases: [...FROM_WEB, ...FROM_OUTSIDE],
  },
  { name: "zero trust", extra: [], profile: "zero-trust" as const, cases: [...FROM_WEB, ...FROM_OUTSIDE] },
])("evaluator and Envoys agree on connections, $name", ({ extra, profile, cases }) => {
  let world: WireWorld;
  beforeAll(async () => {
    world = await startWire([...MESH, ...POLICIES, ...extra].join(""), {
      settings: { profile },
      externals: {
        [OUTSIDE]: { host: "outside.test", ports: [7000, 7001] },
        [UNKNOWN]: { host: "unknown.test", ports: [7001] },
      },
      extraPorts: [9999],
    });
  });
  afterAll(() => world?.close());

  test.each(cases.map((given) => [title(given), given] as const))("%s", async (_title, given) => {
    const found = await world.ask(given);
    expect(found, found.join("; ")).toEqual([]);
  });
});
