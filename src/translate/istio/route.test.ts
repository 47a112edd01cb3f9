import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Mesh, scopeFor } from "../../mesh/index.ts";
import { meshOf, sidecar } from "../../testing/mesh.ts";
import { toDestinations } from "./outbound-route.ts";
import { type RouteClient, toRoutes } from "./route.ts";

const SERVICES = `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { ports: [{ port: 80, name: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: two, namespace: shop }
spec: { ports: [{ port: 80, name: http }, { port: 8080, name: http-b }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: two, namespace: shop }
spec: { host: two, trafficPolicy: { loadBalancer: { consistentHash: { httpCookie: { name: c, ttl: 60s } } } }, subsets: [{ name: v1 }] }
---
`;

const client: RouteClient = { gateways: ["mesh"], namespace: "shop", labels: { app: "web" }, port: 80, isTls: false };

function translated(http: string, over: Partial<RouteClient> = {}) {
  const mesh: Mesh = meshOf(
    `${SERVICES}${JSON.stringify({ apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { name: "vs", namespace: "shop" }, spec: { hosts: ["users"], http: parse(http) } })}`,
  );
  const scope = scopeFor(mesh, sidecar());
  const virtualService = scope.virtualServiceFor("users.shop.svc.cluster.local");
  if (virtualService === undefined) throw new Error("no VirtualService");
  return toRoutes(virtualService, { ...client, ...over }, toDestinations(scope));
}

const TO_USERS = "route: [{ destination: { host: users } }]";

describe("what a route matches", () => {
  test.each([
    { title: "no match is every path", http: `[{ ${TO_USERS} }]`, match: { path: { kind: "prefix", value: "/" } } },
    {
      title: "a prefix is plain text",
      http: `[{ match: [{ uri: { prefix: /a } }], ${TO_USERS} }]`,
      match: { path: { kind: "prefix", value: "/a" } },
    },
    {
      title: "case counts unless ignored",
      http: `[{ match: [{ uri: { exact: /a }, ignoreUriCase: true }], ${TO_USERS} }]`,
      match: { path: { kind: "exact", value: "/a", ignoreCase: true } },
    },
    {
      title: "an empty header match asks for presence",
      http: `[{ match: [{ headers: { x: {} } }], ${TO_USERS} }]`,
      match: { headers: [{ name: "x", value: { kind: "present" } }] },
    },
    {
      title: "so does Istio's * expression",
      http: `[{ match: [{ headers: { x: { regex: "*" } } }], ${TO_USERS} }]`,
      match: { headers: [{ name: "x", value: { kind: "present" } }] },
    },
    {
      title: "withoutHeaders inverts",
      http: `[{ match: [{ withoutHeaders: { x: { exact: a } } }], ${TO_USERS} }]`,
      match: { headers: [{ name: "x", invert: true, value: { kind: "exact", value: "a" } }] },
    },
    {
      title: "the method is a header",
      http: `[{ match: [{ method: { exact: GET } }], ${TO_USERS} }]`,
      match: { headers: [{ name: ":method", value: { kind: "exact", value: "GET" } }] },
    },
    {
      title: "query parameters are compared",
      http: `[{ match: [{ queryParams: { q: { prefix: a } } }], ${TO_USERS} }]`,
      match: { query: [{ name: "q", value: { kind: "prefix", value: "a" } }] },
    },
  ])("$title", ({ http, match }) => {
    expect(translated(http).routes[0]?.match).toMatchObject(match);
  });
});

describe("whom a route concerns", () => {
  test.each([
    { title: "the port that was called", match: "{ port: 80 }", over: {}, concerns: true },
    { title: "not another port", match: "{ port: 81 }", over: {}, concerns: false },
    { title: "clients with the labels", match: "{ sourceLabels: { app: web } }", over: {}, concerns: true },
    { title: "not clients without them", match: "{ sourceLabels: { app: other } }", over: {}, concerns: false },
    { title: "clients of the namespace", match: "{ sourceNamespace: shop }", over: {}, concerns: true },
    { title: "not those of another", match: "{ sourceNamespace: other }", over: {}, concerns: false },
    { title: "a gateway by its short name", match: "{ gateways: [edge] }", over: { gateways: ["shop/edge"] }, concerns: true },
    {
      title: "not another namespace's gateway of that name",
      match: "{ gateways: [edge] }",
      over: { gateways: ["other/edge"] },
      concerns: false,
    },
    {
      title: "gateways don't look at client labels",
      match: "{ sourceLabels: { app: other } }",
      over: { gateways: ["shop/edge"] },
      concerns: true,
    },
  ])("$title", ({ match, over, concerns }) => {
    expect(translated(`[{ match: [${match}], ${TO_USERS} }]`, over).routes.length).toBe(concerns ? 1 : 0);
  });
});

describe("where a route leads", () => {
  test.each([
    {
      title: "a single destination takes everything",
      http: `[{ ${TO_USERS} }]`,
      action: { destinations: [{ cluster: "outbound|80||users.shop.svc.cluster.local", weight: 100 }] },
    },
    {
      title: "destinations without weight get nothing",
      http: "[{ route: [{ destination: { host: users }, weight: 0 }, { destination: { host: two }, weight: 100 }] }]",
      action: { destinations: [{ cluster: "outbound|80||two.shop.svc.cluster.local", weight: 100 }] },
    },
    {
      title: "of several ports it is the one that was called",
      http: "[{ route: [{ destination: { host: two } }] }]",
      action: { destinations: [{ cluster: "outbound|80||two.shop.svc.cluster.local" }] },
    },
    {
      title: "a missing host answers 503",
      http: "[{ route: [{ destination: { host: nobody } }] }]",
      action: { destinations: [{ cluster: "BlackHoleCluster" }] },
    },
    {
      title: "a missing subset answers 503",
      http: "[{ route: [{ destination: { host: two, subset: v9 } }] }]",
      action: { destinations: [{ cluster: "BlackHoleCluster" }] },
    },
    {
      title: "a subset that exists is used",
      http: "[{ route: [{ destination: { host: two, subset: v1 } }] }]",
      action: { destinations: [{ cluster: "outbound|80|v1|two.shop.svc.cluster.local" }] },
    },
    {
      title: "requests are hashed as the DestinationRule says",
      http: "[{ route: [{ destination: { host: two } }] }]",
      action: { hashPolicy: [{ kind: "cookie", name: "c", ttlMs: 60_000 }], retry: { ignorePreviousHosts: false } },
    },
    {
      title: "setting Host rewrites it",
      http: `[{ headers: { request: { set: { Host: other } } }, ${TO_USERS} }]`,
      action: { rewrite: { host: "other" } },
    },
    {
      title: "Istio's retries are the default",
      http: `[{ ${TO_USERS} }]`,
      action: {
        retry: {
          attempts: 2,
          on: ["connect-failure", "refused-stream", "unavailable", "cancelled"],
          statusCodes: [],
          ignorePreviousHosts: true,
        },
      },
    },
    {
      title: "statuses among the conditions are kept apart",
      http: `[{ retries: { attempts: 1, retryOn: "503,reset" }, ${TO_USERS} }]`,
      action: { retry: { on: ["reset", "retriable-status-codes"], statusCodes: [503] } },
    },
    {
      title: "a mirror takes everything by default",
      http: `[{ mirror: { host: users }, ${TO_USERS} }]`,
      action: { mirrors: [{ cluster: "outbound|80||users.shop.svc.cluster.local", percent: 100 }] },
    },
    {
      title: "a fault without a percentage touches nothing",
      http: `[{ fault: { abort: { httpStatus: 500 } }, ${TO_USERS} }]`,
      action: { fault: { abort: { percent: 0, httpStatus: 500 } } },
    },
    {
      title: "a redirect leaves out the scheme's own port",
      http: "[{ redirect: { scheme: https, port: 443 } }]",
      action: { kind: "redirect", status: 301, scheme: "https" },
    },
    {
      title: "a redirect keeps the request's port where asked",
      http: "[{ redirect: { derivePort: FROM_REQUEST_PORT } }]",
      action: { kind: "redirect", port: 8080 },
      over: { port: 8080 },
    },
    {
      title: "a body may be base64",
      http: '[{ directResponse: { status: 200, body: { bytes: "aGk=" } } }]',
      action: { kind: "direct", body: Uint8Array.of(104, 105) },
    },
    {
      title: "a body in words is UTF-8",
      http: '[{ directResponse: { status: 200, body: { string: "é%" } } }]',
      action: { kind: "direct", body: Uint8Array.of(0xc3, 0xa9, 37) },
    },
  ])("$title", ({ http, action, over = {} }) => {
    expect(translated(http, over).routes[0]?.action).toMatchObject(action);
  });

  test("attempts: 0 switches retries off", () => {
    expect(translated(`[{ retries: { attempts: 0 }, ${TO_USERS} }]`).routes[0]?.action).not.toHaveProperty("retry");
  });
});

describe("a route that can't be translated", () => {
  test.each([
    { title: "an expression in the path", bad: `{ match: [{ uri: { regex: "(" } }], ${TO_USERS} }`, code: "KMK1001" },
    { title: "an expression in a header", bad: `{ match: [{ headers: { x: { regex: "[" } } }], ${TO_USERS} }`, code: "KMK1001" },
    {
      title: "an expression that only backtracking could match",
      bad: `{ match: [{ uri: { regex: "(a)\\\\1" } }], ${TO_USERS} }`,
      code: "KMK1001",
    },
    {
      title: "an expression in a rewrite",
      bad: `{ rewrite: { uriRegexRewrite: { match: "(", rewrite: "" } }, ${TO_USERS} }`,
      code: "KMK1001",
    },
    {
      title: "a claim of a token",
      bad: `{ match: [{ headers: { "@request.auth.claims.role": { exact: admin } } }], ${TO_USERS} }`,
      code: "KMK1001",
    },
    { title: "delegation", bad: "{ delegate: { name: other } }", code: "KMK1003" },
  ])("$title costs only that route", ({ bad, code }) => {
    const { routes, findings } = translated(`[${bad}, { match: [{ uri: { prefix: /ok } }], ${TO_USERS} }]`);
    expect(routes.map(({ match }) => match.path.value)).toEqual(["/ok"]);
    expect(findings.map((finding) => [finding.code, finding.origin.path.slice(0, 3)])).toEqual([[code, ["spec", "http", 0]]]);
  });

  test("what follows a route for everything is not reached and left out", () => {
    expect(translated(`[{ ${TO_USERS} }, { match: [{ uri: { prefix: /a } }], ${TO_USERS} }]`).routes).toHaveLength(1);
  });
});
