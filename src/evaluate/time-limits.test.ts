import { describe, expect, test } from "vitest";
import { meshView, onlyOutcome, requestOf } from "../testing/mesh-view.ts";
import { evaluate } from "./index.ts";

const pod = (name: string, address: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} }, annotations: { sidecar.istio.io/status: "{}" } }
spec: { serviceAccountName: ${name}, containers: [{ name: app }] }
status: { podIP: ${address}, conditions: [{ type: Ready, status: "True" }] }
---`;
const MESH = `${pod("web", "10.244.0.8")}${pod("users", "10.244.0.7")}
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { clusterIP: 10.96.0.7, selector: { app: users }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: shop }
spec:
  hosts: [users]
  http:
    - match: [{ uri: { prefix: /patient } }]
      timeout: 600s
      route: [{ destination: { host: users } }]
    - match: [{ uri: { prefix: /again } }]
      retries: { attempts: 2, retryOn: 5xx }
      route: [{ destination: { host: users } }]
    - match: [{ uri: { prefix: /held } }]
      fault: { delay: { percentage: { value: 100 }, fixedDelay: 200s } }
      route: [{ destination: { host: users } }]
    - route: [{ destination: { host: users } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: users, namespace: shop }
spec: { host: users, trafficPolicy: { connectionPool: { http: { http1MaxPendingRequests: 4, maxRetries: 2 } } } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: all, namespace: shop }
spec: { rules: [{}] }
`;

/** The application answers after so many seconds. */
function ask(profile: "istio" | "zero-trust", path: string, { seconds = 0, status = 200, atOnce = 1 }) {
  const view = meshView(MESH, { settings: { profile }, answerOf: () => ({ status, delayMs: seconds * 1000 }) });
  return onlyOutcome(evaluate({ ...requestOf({ path }), atOnce }, view));
}

describe("an answer that takes longer than a stream may be idle", () => {
  test.each([
    { title: "is a 504 of the proxy in the profile zero-trust", profile: "zero-trust", path: "/", seconds: 310, status: 504, delay: 300 },
    { title: "whatever the route's timeout", profile: "zero-trust", path: "/patient", seconds: 310, status: 504, delay: 300 },
    { title: "and is not asked for again", profile: "zero-trust", path: "/again", seconds: 310, status: 504, delay: 300 },
    { title: "a delay that the proxy makes counts", profile: "zero-trust", path: "/held", seconds: 110, status: 504, delay: 300 },
    { title: "what comes in time passes", profile: "zero-trust", path: "/", seconds: 299, status: 200, delay: 299 },
    { title: "Istio's defaults know no such limit", profile: "istio", path: "/", seconds: 310, status: 200, delay: 310 },
  ] as const)("$title", ({ profile, path, seconds, status, delay }) => {
    expect(ask(profile, path, { seconds })).toMatchObject({ kind: "response", status, delayMs: delay * 1000, attempts: 1 });
  });
});

describe("limits that so many requests at a time can reach leave it open who is refused", () => {
  const connections = "the connection limits of cluster outbound|80||users.shop.svc.cluster.local";
  const retries = "the limit of retries of cluster outbound|80||users.shop.svc.cluster.local";

  test.each([
    { title: "as many as may wait are answered", path: "/", status: 200, atOnce: 4, at: undefined },
    { title: "one more is not for all", path: "/", status: 200, atOnce: 5, at: connections },
    { title: "as many as may be tried again are", path: "/again", status: 503, atOnce: 2, at: undefined },
    { title: "one more is not for all", path: "/again", status: 503, atOnce: 3, at: retries },
    { title: "what succeeds is not tried again", path: "/again", status: 200, atOnce: 3, at: undefined },
  ])("$title: $path, $atOnce", ({ path, status, atOnce, at }) => {
    expect(ask("istio", path, { status, atOnce })).toMatchObject(
      at === undefined ? { kind: "response", status } : { kind: "undecided", at },
    );
  });
});
