import { describe, expect, test } from "vitest";
import { meshView, onlyOutcome, requestOf, shortly } from "../testing/mesh-view.ts";
import { formatRef } from "../model/resource.ts";
import { evaluate, type Request } from "./index.ts";

const pod = (name: string, address: string, labels: string, more = "") => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { ${labels} }, annotations: { ${more || 'sidecar.istio.io/status: "{}"'} } }
spec: { serviceAccountName: ${name.replace(/-v\d$/, "")}, containers: [{ name: app, ports: [{ containerPort: 8080 }] }] }
status: { podIP: ${address}, conditions: [{ type: Ready, status: "True" }] }
`;

const MESH = [
  pod("web", "10.244.0.8", "app: web"),
  pod("users-v1", "10.244.0.7", "app: users, version: v1"),
  pod("users-v2", "10.244.0.9", "app: users, version: v2"),
  pod("plain", "10.244.0.10", "app: plain", "a: b"),
  `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { clusterIP: 10.96.0.7, selector: { app: users }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
`,
  `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: users, namespace: shop }
spec: { host: users, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
`,
  `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: shop }
spec:
  hosts: [users]
  http:
    - match: [{ headers: { end-user: { exact: tester } }, uri: { prefix: /api } }]
      route: [{ destination: { host: users, subset: v2 } }]
    - match: [{ uri: { exact: /gone } }]
      route: [{ destination: { host: users, subset: v9 } }]
    - match: [{ uri: { prefix: /canary } }]
      route: [{ destination: { host: users, subset: v1 }, weight: 80 }, { destination: { host: users, subset: v2 }, weight: 20 }]
    - match: [{ uri: { prefix: / } }]
      route: [{ destination: { host: users, subset: v1 } }]
`,
  `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`,
  `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: admin, namespace: shop }
spec:
  selector: { matchLabels: { app: users } }
  action: DENY
  rules: [{ from: [{ source: { notPrincipals: [cluster.local/ns/shop/sa/admin] } }], to: [{ operation: { paths: [/admin/*] } }] }]
`,
].join("\n---\n");

const view = meshView(MESH, { settings: { profile: "istio" } });

describe("a request from sidecar to sidecar", () => {
  test.each<{ title: string; given: Partial<Request>; expected: readonly string[] }>([
    { title: "goes to the route that matches everything", given: {}, expected: ["200 users-v1"] },
    { title: "goes by a header to another subset", given: { headers: [["End-User", "tester"]], path: "/api" }, expected: ["200 users-v2"] },
    { title: "needs all of a route's conditions", given: { headers: [["end-user", "tester"]] }, expected: ["200 users-v1"] },
    { title: "is shared out by weight, exactly", given: { path: "/canary/x" }, expected: ["80% 200 users-v1", "20% 200 users-v2"] },
    { title: "has no endpoint in a subset that nobody defined", given: { path: "/gone" }, expected: ["503 proxy"] },
    { title: "is refused by a DENY policy", given: { path: "/admin/x" }, expected: ["403 proxy"] },
    {
      title: "is refused in gRPC's form where it is gRPC",
      given: { path: "/admin/x", protocol: "grpc" },
      expected: ["PERMISSION_DENIED proxy"],
    },
    { title: "is refused under another spelling of the path", given: { path: "/./admin/x" }, expected: ["403 proxy"] },
    {
      title: "finds its host by every short name, whatever the case or port",
      given: { authority: "USERS.shop.svc:80" },
      expected: ["200 users-v1"],
    },
    {
      title: "to an unknown host on the same port goes where the caller connected",
      given: { authority: "other" },
      expected: ["503 proxy"],
    },
  ])("$title", ({ given, expected }) => {
    expect(shortly(evaluate(requestOf(given), view))).toEqual(expected);
  });

  test("arrives with the caller's identity, over mTLS, once", () => {
    expect(onlyOutcome(evaluate(requestOf({ path: "/x?y=1" }), view))).toMatchObject({
      attempts: 1,
      via: [{ name: "web" }, { name: "users-v1" }],
      received: { path: "/x?y=1", authority: "users", tls: false, principal: "spiffe://cluster.local/ns/shop/sa/web" },
    });
  });

  test("says which resource refused it", () => {
    const { because, steps } = onlyOutcome(evaluate(requestOf({ path: "/admin/x" }), view));
    expect(because).toMatchObject([{ ref: { kind: "AuthorizationPolicy", namespace: "shop", name: "admin" } }]);
    expect(steps.map(({ what, proxy }) => `${proxy} ${what}`)).toContain("shop/users-v1 filter chain");
  });

  test("says why each route before its own was not taken", () => {
    const { steps } = onlyOutcome(evaluate(requestOf({ path: "/x" }), view));
    const route = steps.find(({ what, proxy }) => what === "route" && proxy === "shop/web");
    expect(route?.origins.map(({ ref }) => formatRef(ref))).toEqual(["VirtualService/shop/users"]);
    expect(route?.nearMisses?.map(({ failed }) => failed)).toEqual([
      "path does not begin with /api",
      "path is not /gone",
      "path does not begin with /canary",
    ]);
  });

  test("from outside in plaintext is cut off by the PeerAuthentication", () => {
    const from = { kind: "outside", workload: { namespace: "shop", name: "users-v1" } } as const;
    const outcome = onlyOutcome(evaluate(requestOf({ from, destination: { address: "10.244.0.7", port: 8080 } }), view));
    expect(outcome).toMatchObject({ kind: "closed", because: [{ ref: { kind: "PeerAuthentication", name: "default" } }] });
  });

  test("from a workload without a sidecar is cut off, too", () => {
    expect(shortly(evaluate(requestOf({ by: "plain", destination: { address: "10.244.0.7", port: 8080 } }), view))).toEqual(["closed"]);
  });

  test("that no ALLOW policy matches is refused by those that are there", () => {
    const allow = MESH.replace("action: DENY", "action: ALLOW").replace("notPrincipals", "principals");
    const outcome = onlyOutcome(evaluate(requestOf({ path: "/x" }), meshView(allow, { settings: { profile: "istio" } })));
    expect(outcome).toMatchObject({ kind: "response", status: 403 });
    expect(outcome.because[0]).toMatchObject({ ref: { kind: "AuthorizationPolicy", name: "admin" } });
  });

  test("is refused by the profile where no policy allows it", () => {
    const strict = meshView(MESH.replaceAll("action: DENY", "action: AUDIT"), { settings: { profile: "zero-trust" } });
    expect(onlyOutcome(evaluate(requestOf(), strict))).toMatchObject({ kind: "response", status: 403, because: ["Profile/zero-trust"] });
  });
});
