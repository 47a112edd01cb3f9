import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startWire, type WireCase, wireNet, type WireWorld } from "../testing/wire-agreement.ts";
import { istioYaml, meshConfigYaml, podYaml, serviceYaml } from "../testing/wire-mesh.ts";

const NET = wireNet(3);
const at = (last: number) => `${NET}.${last}`;
const APPS = ["plain", "grpc", "full", "open", "status", "missing", "several", "slow"] as const;
const GATEWAY = at(40);

const authorizer = (more: object = {}) => ({
  service: "authz.shop.svc.cluster.local",
  port: 3180,
  includeRequestHeadersInCheck: ["x-echo-status"],
  ...more,
});
const dead = (more: object) => ({ service: "shop/authz.shop.svc.cluster.local", port: 3199, ...more });
const PROVIDERS = [
  { name: "plain", envoyExtAuthzHttp: authorizer() },
  { name: "grpc", envoyExtAuthzGrpc: { service: "authz.shop.svc.cluster.local", port: 3181 } },
  {
    name: "full",
    envoyExtAuthzHttp: {
      service: "authz.shop.svc.cluster.local",
      port: 3180,
      pathPrefix: "/check",
      includeHeadersInCheck: ["x-echo-*", "*-suffixed"],
      includeAdditionalHeadersInCheck: { "x-from-proxy": "1", "x-echo-cookie": "from=proxy" },
      headersToUpstreamOnAllow: ["x-seen-*"],
      headersToDownstreamOnDeny: ["x-why"],
      headersToDownstreamOnAllow: ["x-shown", "set-*"],
      includeRequestBodyInCheck: { maxRequestBytes: 1024, allowPartialMessage: true },
    },
  },
  { name: "open", envoyExtAuthzHttp: dead({ failOpen: true }) },
  { name: "status", envoyExtAuthzGrpc: dead({ statusOnError: "503" }) },
  { name: "slow", envoyExtAuthzHttp: authorizer({ timeout: "0.2s", includeRequestHeadersInCheck: ["x-echo-delay-ms", "x-echo-status"] }) },
];

const policy = (app: string, provider: string, name = `custom-${app}-${provider}`) =>
  istioYaml("AuthorizationPolicy", name, {
    selector: { matchLabels: { app } },
    action: "CUSTOM",
    provider: { name: provider },
    rules: [{ to: [{ operation: { paths: ["/asked*"] } }] }, { when: [{ key: "request.headers[x-ask]", values: ["1"] }] }],
  });

const MESH = [
  podYaml("web", at(2)),
  podYaml("authz", at(3), { ports: { http: 9180, grpc: 9181 } }),
  serviceYaml("authz", "10.96.7.1", { http: [3180, 9180], grpc: [3181, 9181], "http-dead": [3199, 9199] }),
  ...APPS.flatMap((app, i) => [
    podYaml(app, at(10 + i), { ports: { http: 9200 } }),
    serviceYaml(app, `10.96.7.${10 + i}`, { http: [3080, 9200] }),
  ]),
  ...APPS.filter((app) => app !== "several").map((app) => policy(app, app)),
  policy("several", "plain"),
  policy("several", "grpc"),
  istioYaml("AuthorizationPolicy", "deny", { action: "DENY", rules: [{ to: [{ operation: { paths: ["/asked/denied", "/denied"] } }] }] }),
  istioYaml("AuthorizationPolicy", "allow", { rules: [{}] }),
  podYaml("gateway", GATEWAY, { labels: { istio: "ingressgateway", app: "gateway" }, sidecar: false }),
  istioYaml("Gateway", "public", {
    selector: { istio: "ingressgateway" },
    servers: [{ port: { number: 8080, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
  }),
  istioYaml("VirtualService", "public", {
    hosts: ["a.test"],
    gateways: ["public"],
    http: [{ headers: { response: { set: { "x-route": "1" } } }, route: [{ destination: { host: "plain", port: { number: 3080 } } }] }],
  }),
  policy("gateway", "grpc"),
  meshConfigYaml({ extensionProviders: PROVIDERS }),
];

const header = (...headers: readonly (readonly [string, string])[]): WireCase => ({ headers });
const REQUESTS: readonly (WireCase & { readonly path: string })[] = [
  { path: "/" },
  { path: "/", ...header(["x-ask", "1"]) },
  { path: "/asked" },
  { path: "/asked?x=1" },
  { path: "/./asked" },
  { path: "/Asked" },
  { path: "/asked/denied" },
  { path: "/denied" },
  ...["200", "201", "204", "302", "401", "403", "404", "500", "503"].map((status) => ({
    path: "/asked",
    ...header(["x-echo-status", status]),
  })),
  { path: "/", ...header(["x-echo-status", "403"]) },
  { path: "/asked", ...header(["x-echo-cookie", "a=b"]) },
  { path: "/asked", ...header(["authorization", "x"], ["x-not-suffixed", "1"]) },
  { path: "/asked", method: "POST" },
  { path: "/asked", ...header(["x-echo-delay-ms", "400"]) },
];

const VERSIONS: readonly WireCase[] = [{}, { protocol: "http2" }, { protocol: "grpc", method: "POST" }];
const CASES: readonly WireCase[] = [
  ...APPS.flatMap((app, i) =>
    REQUESTS.flatMap((request) =>
      VERSIONS.map((version) => ({ destination: { address: `10.96.7.${10 + i}`, port: 3080 }, authority: app, ...version, ...request })),
    ),
  ),
  ...REQUESTS.map((request) => ({
    from: { kind: "gateway" as const, workload: { namespace: "shop", name: "gateway" } },
    destination: { address: GATEWAY, port: 8080 },
    sourceAddress: at(200),
    authority: "a.test",
    ...request,
  })),
  // Without a route there is nothing to ask about.
  ...[{ authority: "nobody.test" }, { authority: "nobody.test", ...header(["x-echo-status", "403"]) }].map((given) => ({
    from: { kind: "gateway" as const, workload: { namespace: "shop", name: "gateway" } },
    destination: { address: GATEWAY, port: 8080 },
    sourceAddress: at(200),
    path: "/asked",
    ...given,
  })),
];

const title = ({ authority = "", protocol = "http1", method = "GET", path = "", headers = [] }: WireCase) =>
  `${authority} ${protocol} ${method} ${path} ${JSON.stringify(headers)}`;

describe("evaluator and Envoys agree on what authorizers decide", () => {
  let world: WireWorld;
  beforeAll(async () => {
    world = await startWire(MESH.join(""), { settings: { profile: "istio" } });
  });
  afterAll(() => world?.close());

  test.each(CASES.map((given) => [title(given), given] as const))("%s", async (_title, given) => {
    const found = await world.ask(given);
    expect(found, found.join("; ")).toEqual([]);
  });
});
