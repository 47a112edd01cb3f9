import { describe, expect, test } from "vitest";
import { meshView, onlyOutcome, requestOf, shortly } from "../testing/mesh-view.ts";
import { evaluate, type ApplicationAnswer, type ApplicationRequest } from "./index.ts";

const pod = (name: string, address: string, app = name) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${app}, version: ${name} }, annotations: { sidecar.istio.io/status: "{}" } }
spec: { serviceAccountName: ${app}, containers: [{ name: app }] }
status: { podIP: ${address}, conditions: [{ type: Ready, status: "True" }] }
---`;
const service = (name: string, address: string) => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { clusterIP: ${address}, selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---`;
const MESH = `${pod("web", "10.244.0.8")}${pod("users-1", "10.244.0.7", "users")}${pod("copy", "10.244.0.9")}
${service("users", "10.96.0.7")}${service("copy", "10.96.0.9")}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: shop }
spec:
  hosts: [users]
  http:
    - match: [{ uri: { prefix: /retry } }]
      retries: { attempts: 2, retryOn: "503,502" }
      route: [{ destination: { host: users } }]
    - match: [{ uri: { prefix: /slow } }]
      timeout: 1s
      retries: { attempts: 0 }
      route: [{ destination: { host: users } }]
    - match: [{ uri: { prefix: /tries } }]
      timeout: 10s
      retries: { attempts: 1, perTryTimeout: 300ms, retryOn: 5xx }
      route: [{ destination: { host: users } }]
    - match: [{ uri: { prefix: /fault } }]
      fault: { delay: { percentage: { value: 50 }, fixedDelay: 2s }, abort: { percentage: { value: 20 }, httpStatus: 418 } }
      route: [{ destination: { host: users } }]
    - match: [{ uri: { prefix: /mirror } }]
      mirror: { host: copy }
      mirrorPercentage: { value: 25 }
      route: [{ destination: { host: users } }]
    - route: [{ destination: { host: users } }]
`;

function echo({ headers, attempt }: ApplicationRequest): ApplicationAnswer {
  const header = (name: string) => headers.find(([key]) => key === name)?.[1];
  const statuses = (header("x-echo-status") ?? "200").split(",").map(Number);
  return { status: statuses[Math.min(attempt, statuses.length) - 1] ?? 200, delayMs: Number(header("x-echo-delay-ms") ?? 0) };
}

const view = meshView(MESH, { settings: { profile: "istio" }, answerOf: echo });
const ask = (path: string, headers: readonly (readonly [string, string])[] = []) => evaluate(requestOf({ path, headers }), view);

describe("attempts of a request", () => {
  test.each([
    { title: "end with the first good answer", statuses: "503,502,200", status: 200, attempts: 3 },
    { title: "end when there are no more", statuses: "503,503,503,200", status: 503, attempts: 3 },
    { title: "are made for the statuses asked for only", statuses: "500,200", status: 500, attempts: 1 },
  ])("$title", ({ statuses, status, attempts }) => {
    expect(onlyOutcome(ask("/retry", [["x-echo-status", statuses]]))).toMatchObject({ status, attempts, by: "application" });
  });

  test("wait no longer than the route's time", () => {
    expect(onlyOutcome(ask("/slow", [["x-echo-delay-ms", "1500"]]))).toMatchObject({
      status: 504,
      by: "proxy",
      delayMs: 1000,
      attempts: 1,
    });
    expect(onlyOutcome(ask("/slow", [["x-echo-delay-ms", "900"]]))).toMatchObject({ status: 200, delayMs: 900 });
  });

  test("each have their own time", () => {
    expect(onlyOutcome(ask("/tries", [["x-echo-delay-ms", "400"]]))).toMatchObject({ status: 504, attempts: 2, delayMs: 600 });
  });

  test("are delayed and ended by injected faults, each with its share", () => {
    const { outcomes } = ask("/fault");
    const lines = outcomes.map(
      ({ share, outcome }) =>
        `${Math.round(share * 100)}% ${outcome.kind === "response" ? outcome.status : outcome.kind} ${outcome.delayMs}`,
    );
    expect(lines.sort()).toEqual(["10% 418 0", "10% 418 2000", "40% 200 0", "40% 200 2000"]);
  });

  test("leave copies where the route says so", () => {
    expect(onlyOutcome(ask("/mirror"))).toMatchObject({
      status: 200,
      to: { name: "users-1" },
      mirroredTo: [{ target: { name: "copy" }, share: 0.25 }],
    });
    expect(onlyOutcome(ask("/"))).toMatchObject({ mirroredTo: [] });
  });

  test("a filter that is not known is undecided, never passed over", () => {
    const altered = meshView(MESH, {
      settings: { profile: "istio" },
      alter: (resource) => {
        if (resource.name !== "kumiko.inbound.extensions") return resource;
        const message = {
          $typeName: "envoy.config.core.v3.TypedExtensionConfig",
          name: resource.name,
          typedConfig: {
            $typeName: "google.protobuf.Any",
            typeUrl: "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            value: new Uint8Array(),
          },
        };
        return { ...resource, message: message as typeof resource.message };
      },
    });
    expect(shortly(evaluate(requestOf(), altered))).toEqual(["undecided at filter kumiko.inbound.extensions"]);
  });
});
