import { describe, expect, test } from "vitest";
import { create, fromBinary } from "@bufbuild/protobuf";
import { TypedExtensionConfigSchema } from "../gen/envoy/config/core/v3/extension_pb.js";
import { ExtAuthzSchema } from "../gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js";
import { type MeshViewOptions, meshView, nameOf, onlyOutcome, requestOf, shortly } from "../testing/mesh-view.ts";
import { istioYaml, meshConfigYaml, podYaml, serviceYaml } from "../testing/wire-mesh.ts";
import { packAny } from "../translate/envoy/any.ts";
import { type ApplicationRequest, evaluate, type Request } from "./index.ts";

const MESH = [
  podYaml("web", "10.244.0.8"),
  podYaml("users", "10.244.0.7", { ports: { http: 8080 } }),
  podYaml("authz", "10.244.0.9", { ports: { http: 8000 } }),
  serviceYaml("users", "10.96.0.7", { http: [80, 8080] }),
  serviceYaml("authz", "10.96.0.9", { http: 8000 }),
  meshConfigYaml({
    extensionProviders: [
      {
        name: "sessions",
        envoyExtAuthzHttp: { service: "authz.shop.svc.cluster.local", port: 8000, includeRequestHeadersInCheck: ["x-echo-status"] },
      },
    ],
  }),
  istioYaml("AuthorizationPolicy", "ask", {
    selector: { matchLabels: { app: "users" } },
    action: "CUSTOM",
    provider: { name: "sessions" },
    rules: [{ to: [{ operation: { paths: ["/account"] } }] }],
  }),
];

const options: MeshViewOptions = {
  settings: { profile: "istio" },
  answerOf: ({ headers }) => ({ status: Number(headers.find(([name]) => name === "x-echo-status")?.[1] ?? 200) }),
};
const account = (status = "200"): Request => requestOf({ path: "/account", headers: [["x-echo-status", status]] });
const view = (more: readonly string[] = [], over: MeshViewOptions = {}) => meshView([...MESH, ...more].join(""), { ...options, ...over });

describe("an external authorizer", () => {
  test("is asked through its own sidecar, which leaves no trace in the request's way", () => {
    const outcome = onlyOutcome(evaluate(account(), view()));
    expect(outcome).toMatchObject({ kind: "response", status: 200, attempts: 1, via: [{ name: "web" }, { name: "users" }] });
    expect(new Set(outcome.steps.map(({ proxy }) => proxy))).toEqual(new Set(["shop/web", "shop/users", "shop/authz"]));
  });

  test("is named by its policy where it denies", () => {
    expect(onlyOutcome(evaluate(account("401"), view()))).toMatchObject({
      kind: "response",
      status: 401,
      by: "proxy",
      attempts: 0,
      because: [{ ref: { kind: "AuthorizationPolicy", name: "ask" } }],
    });
  });

  test("that denies tells the client why in its own words, as far as the answer has any", () => {
    const wordy = (status: number) => view([], { answerOf: () => ({ status, body: "ask Zoë" }) });
    const bodyOf = (status: number, request: Partial<Request> = {}) => onlyOutcome(evaluate({ ...account(), ...request }, wordy(status)));
    expect(bodyOf(401)).toMatchObject({ status: 401, by: "proxy", body: "ask Zoë" });
    expect(bodyOf(401, { method: "HEAD" })).toMatchObject({ status: 401, body: "" });
    expect(bodyOf(304)).toMatchObject({ status: 304, body: "" });
    expect(bodyOf(401, { protocol: "grpc", method: "POST" })).toMatchObject({ grpcStatus: "UNAUTHENTICATED" });
  });

  test("is shown each header in one line, and what the proxy adds", () => {
    const seen: ApplicationRequest[] = [];
    const answerOf = (request: ApplicationRequest) => {
      seen.push(request);
      return { status: 200 };
    };
    const lines = [...Array.from({ length: 90 }, () => ["x-echo-status", "200"] as const), ["authorization", "x"] as const];
    evaluate({ ...account(), headers: lines }, view([], { answerOf }));
    const check = seen.find(({ to }) => nameOf(to) === "authz");
    expect(check?.headers.filter(([name]) => name.startsWith("x-echo"))).toEqual([["x-echo-status", "200,".repeat(90).slice(0, -1)]]);
  });

  test("that lets nobody in fails closed, in its proxy's words", () => {
    const closed = istioYaml("AuthorizationPolicy", "closed", { selector: { matchLabels: { app: "authz" } } });
    const outcome = onlyOutcome(evaluate(account(), view([closed])));
    expect(outcome).toMatchObject({ kind: "response", status: 403, by: "proxy", body: "RBAC: access denied" });
  });

  test("for whom the route has no time to wait keeps the request from its application", () => {
    const route = { timeout: "1s", retries: { attempts: 0 }, route: [{ destination: { host: "users" } }] };
    const hurried = istioYaml("VirtualService", "users", { hosts: ["users"], http: [route] });
    const answering = { answerOf: ({ to }: ApplicationRequest) => ({ status: 200, delayMs: nameOf(to) === "authz" ? 1500 : 0 }) };
    expect(onlyOutcome(evaluate(account(), view([hurried], answering)))).toMatchObject({ status: 504, attempts: 0, delayMs: 1000 });
  });

  test("that none of the rules asks for has no say", () => {
    expect(shortly(evaluate({ ...account("404"), path: "/" }, view()))).toEqual(["404 users"]);
  });

  test("with settings that are not known is undecided", () => {
    const altered = view([], {
      alter: (resource) => {
        if (resource.name !== "kumiko.inbound.authz-custom" || !("typedConfig" in resource.message)) return resource;
        const { value = new Uint8Array() } = (resource.message.typedConfig as { value?: Uint8Array } | undefined) ?? {};
        const config = fromBinary(ExtAuthzSchema, value);
        const typedConfig = packAny(ExtAuthzSchema, { ...config, validateMutations: true });
        return { ...resource, message: create(TypedExtensionConfigSchema, { name: resource.name, typedConfig }) };
      },
    });
    const authorized = evaluate(account(), altered);
    expect(shortly(authorized)).toEqual(["undecided at filter kumiko.inbound.authz-custom"]);
  });
});
