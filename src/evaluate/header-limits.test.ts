import { describe, expect, test } from "vitest";
import { meshView, requestOf, shortly } from "../testing/mesh-view.ts";
import { istioYaml, podYaml, serviceYaml } from "../testing/wire-mesh.ts";
import { evaluate, type Request } from "./index.ts";

const MESH = [
  podYaml("web", "10.244.0.8"),
  podYaml("users", "10.244.0.7", { ports: { http: 8080 } }),
  serviceYaml("users", "10.96.0.7", { http: [80, 8080] }),
  istioYaml("VirtualService", "users", {
    hosts: ["users"],
    http: [
      { match: [{ headers: { "content-length": { exact: "5" } } }], directResponse: { status: 204 } },
      { match: [{ headers: { "transfer-encoding": {} } }], directResponse: { status: 202 } },
      { route: [{ destination: { host: "users" } }] },
    ],
  }),
];
const view = meshView(MESH.join(""), { settings: { profile: "istio" } });
const many = (count: number) => Array.from({ length: count }, () => ["x-many", "v"] as const);
const large = (bytes: number) => [["x-large", "l".repeat(bytes)] as const];

/** Straight to the workload's sidecar, on a port of its Service or on one that nobody declares. */
function arrive(given: Partial<Request>, port = 8080): readonly string[] {
  const from = { kind: "outside", workload: { namespace: "shop", name: "users" } } as const;
  return shortly(
    evaluate({ ...requestOf(), path: "/", authority: "users:8080", from, destination: { address: "10.244.0.7", port }, ...given }, view),
  );
}

describe.each([{ port: 8080 }, { port: 7777 }])("to port $port", ({ port }) => {
  const POST = { method: "POST", body: new Uint8Array(5) };
  const H2 = { protocol: "http2" } as const;

  test.each<{ title: string; most: number; of: (n: number) => Partial<Request>; refusal: string }>([
    { title: "a hundred headers, the host among them", most: 99, of: (n) => ({ headers: many(n) }), refusal: "431 proxy" },
    { title: "the length of a body is a header", most: 98, of: (n) => ({ ...POST, headers: many(n) }), refusal: "431 proxy" },
    {
      title: "so is its encoding",
      most: 98,
      of: (n) => ({ ...POST, headers: [["transfer-encoding", "chunked"], ...many(n)] }),
      refusal: "431 proxy",
    },
    { title: "HTTP/2 has four more", most: 96, of: (n) => ({ ...H2, headers: many(n) }), refusal: "closed" },
    { title: "and need not say a length", most: 96, of: (n) => ({ ...H2, ...POST, headers: many(n) }), refusal: "closed" },
    {
      title: "60 KiB of HTTP/1 count from the first line to the last",
      most: 61_393,
      of: (n) => ({ headers: large(n) }),
      refusal: "431 proxy",
    },
    {
      title: "each line with its ends",
      most: 3193,
      of: (n) => ({ headers: [...Array.from({ length: 20 }, () => ["x-many", "v".repeat(2900)] as const), ...large(n)] }),
      refusal: "431 proxy",
    },
    { title: "of HTTP/2 names and values", most: 61_386, of: (n) => ({ ...H2, headers: large(n) }), refusal: "closed" },
    { title: "the path among them", most: 61_393, of: (n) => ({ ...H2, path: `/${"p".repeat(n)}` }), refusal: "closed" },
  ])("$title: at most $most", ({ most, of, refusal }) => {
    expect(arrive(of(most), port)).toEqual(["200 users"]);
    expect(arrive(of(most + 1), port)).toEqual([refusal]);
  });
});

describe("through the caller's proxy", () => {
  const send = (given: Partial<Request>) => shortly(evaluate({ ...requestOf(), path: "/", ...given }, view));

  test("the length of a body can be asked for", () => {
    expect(send({ method: "POST", body: new Uint8Array(5) })).toEqual(["204 proxy"]);
    expect(send({ method: "POST", body: new Uint8Array(6) })).toEqual(["200 users"]);
    expect(send({ method: "POST", body: new Uint8Array(5), protocol: "http2" })).toEqual(["200 users"]);
  });

  test("what belongs to the client's connection alone is gone when routes are asked", () => {
    expect(send({ method: "POST", body: new Uint8Array(6), headers: [["transfer-encoding", "chunked"]] })).toEqual(["200 users"]);
  });

  test("what nobody has measured reaches the next proxy with a header more", () => {
    const ofMany = (count: number) => send({ method: "POST", body: new Uint8Array(5), protocol: "http2", headers: many(count) });
    expect([ofMany(95), ofMany(96)]).toEqual([["200 users"], ["431 proxy"]]);
  });
});
