import { describe, expect, test } from "vitest";
import { meshView, onlyOutcome, requestOf, shortly } from "../testing/mesh-view.ts";
import { istioYaml, podYaml, serviceYaml } from "../testing/wire-mesh.ts";
import { type ApplicationRequest, evaluate, type Request } from "./index.ts";

const MESH = [
  podYaml("web", "10.244.0.8"),
  podYaml("users", "10.244.0.7", { ports: { http: 8080 } }),
  podYaml("copy", "10.244.0.9", { ports: { http: 8080 } }),
  serviceYaml("users", "10.96.0.7", { http: [80, 8080] }),
  serviceYaml("copy", "10.96.0.9", { http: [80, 8080] }),
  istioYaml("VirtualService", "users", {
    hosts: ["users"],
    http: [
      { match: [{ uri: { prefix: "/timed" } }], timeout: "5s", mirror: { host: "copy" }, route: [{ destination: { host: "users" } }] },
      { mirror: { host: "copy" }, route: [{ destination: { host: "users" } }] },
    ],
  }),
  istioYaml("AuthorizationPolicy", "users", {
    selector: { matchLabels: { app: "users" } },
    action: "DENY",
    rules: [{ to: [{ operation: { paths: ["/denied"] } }] }],
  }),
];
const slow = ({ path }: ApplicationRequest) => ({ status: 200, ...(path === "/slow" && { delayMs: 50 }) });
const view = meshView(MESH.join(""), { settings: { profile: "istio" }, answerOf: slow });
const ask = (given: Partial<Request>) => evaluate({ ...requestOf(), path: "/", ...given }, view);
const many = (count: number) => Array.from({ length: count }, () => ["x-many", "v"] as const);
const COPIED = { mirroredTo: [{ target: { name: "copy" } }] };

describe("a copy", () => {
  test.each([
    { title: "has three headers more than the request", path: "/", most: 94 },
    { title: "where the request has a time limit, too", path: "/timed", most: 93 },
  ])("$title", ({ path, most }) => {
    expect(onlyOutcome(ask({ path, headers: many(most) }))).toMatchObject({ status: 200, ...COPIED });
    expect(onlyOutcome(ask({ path, headers: many(most + 1) }))).toMatchObject({ status: 200, mirroredTo: [] });
  });

  const BUFFER = 1 << 20;
  const RACE = ["undecided at a copy of a request that may end before the copy has arrived"];
  const large = { method: "POST", body: new Uint8Array(BUFFER + 1) };

  test("of a body that the proxy can't hold is broken off where the request is refused early", () => {
    expect(shortly(ask({ ...large, path: "/denied" }))).toEqual(RACE);
    expect(onlyOutcome(ask({ ...large, path: "/denied", body: new Uint8Array(BUFFER) }))).toMatchObject({ status: 403, ...COPIED });
  });

  test("arrives where the application takes the whole body", () => {
    expect(onlyOutcome(ask(large))).toMatchObject({ status: 200, ...COPIED });
  });

  test("of a WebSocket is broken off by its client, who may wait for it or not", () => {
    expect(shortly(ask({ protocol: "websocket" }))).toEqual(RACE);
    expect(onlyOutcome(ask({ protocol: "websocket", path: "/slow" }))).toMatchObject(COPIED);
  });
});
