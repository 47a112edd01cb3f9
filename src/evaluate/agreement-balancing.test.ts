import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startWire, type WireCase, wireNet, type WireWorld } from "../testing/wire-agreement.ts";
import { istioYaml, podYaml, serviceYaml } from "../testing/wire-mesh.ts";

const NET = wireNet(4);
const at = (last: number) => `${NET}.${last}`;
const REPLICAS = ["users-1", "users-2", "users-3", "users-4"] as const;

const HASHES: Readonly<Record<string, object>> = {
  header: { httpHeaderName: "x-user" },
  query: { httpQueryParameterName: "u" },
  source: { useSourceIp: true },
  cookie: { httpCookie: { name: "session", ttl: "0s" } },
  lasting: { httpCookie: { name: "session", ttl: "60s", path: "/" } },
  maglev: { httpHeaderName: "x-user", maglev: { tableSize: 101 } },
  ring: { httpHeaderName: "x-user", ringHash: { minimumRingSize: 64 } },
};
const HOSTS = [...Object.keys(HASHES), "split", "none"];
const vip = (host: string) => `10.96.7.${10 + HOSTS.indexOf(host)}`;

const subsets = ["v1", "v2"].map((name) => ({ name, labels: { version: name } }));
const to = (host: string, subset: string, weight: number) => ({ destination: { host, subset }, weight });

const MESH = [
  podYaml("web", at(2)),
  ...REPLICAS.map((name, i) =>
    podYaml(name, at(10 + i), {
      labels: { app: "users", version: i < 2 ? "v1" : "v2" },
      ports: { http: 9200 },
      account: "users",
      sidecar: i === 0,
    }),
  ),
  ...HOSTS.map((host) => serviceYaml(host, vip(host), { http: [3080, 9200] }, { app: "users" })),
  ...Object.entries(HASHES).map(([host, consistentHash]) =>
    istioYaml("DestinationRule", host, { host, trafficPolicy: { loadBalancer: { consistentHash } }, subsets }),
  ),
  istioYaml("DestinationRule", "split", {
    host: "split",
    trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: "x-user" } } },
    subsets: [...subsets, { name: "nobody", labels: { version: "v9" } }],
  }),
  istioYaml("VirtualService", "split", {
    hosts: ["split"],
    http: [
      { match: [{ uri: { prefix: "/zero" } }], route: [to("split", "v1", 0), to("split", "v2", 100)] },
      { match: [{ uri: { prefix: "/nobody" } }], route: [to("split", "v1", 50), to("split", "nobody", 50)] },
      { match: [{ uri: { prefix: "/half" } }], route: [to("split", "v1", 50), to("split", "v2", 50)] },
      { route: [{ destination: { host: "split", subset: "v1" } }] },
    ],
  }),
];

const ask = (host: string, more: WireCase = {}): WireCase => ({
  destination: { address: vip(host), port: 3080 },
  authority: host,
  ...more,
});
const header = (name: string, value: string): WireCase => ({ headers: [[name, value]] });

interface Case {
  readonly title: string;
  readonly given: WireCase;
  /** Workloads that equal requests are shared by; 1: all go to one. */
  readonly answerers: number;
}

const CASES: readonly Case[] = [
  { title: "by a header that is there", given: ask("header", header("x-user", "ann")), answerers: 1 },
  { title: "by a header that is missing", given: ask("header"), answerers: 4 },
  { title: "by a header that is empty", given: ask("header", header("x-user", "")), answerers: 1 },
  { title: "by a query parameter", given: ask("query", { path: "/?u=ann" }), answerers: 1 },
  { title: "by a query parameter that is missing", given: ask("query", { path: "/?v=ann" }), answerers: 4 },
  { title: "by a query parameter that is empty", given: ask("query", { path: "/?u=" }), answerers: 1 },
  { title: "by the client's address", given: ask("source"), answerers: 1 },
  { title: "by a cookie that is there", given: ask("cookie", header("cookie", "a=b; session=1")), answerers: 1 },
  { title: "by a cookie that is missing and lasts", given: ask("lasting"), answerers: 4 },
  { title: "by a lasting cookie that is there", given: ask("lasting", header("cookie", "session=1")), answerers: 1 },
  { title: "by a maglev table", given: ask("maglev", header("x-user", "ann")), answerers: 1 },
  { title: "by a ring of its own size", given: ask("ring", header("x-user", "ann")), answerers: 1 },
  { title: "by nothing", given: ask("none"), answerers: 4 },
  { title: "in one subset", given: ask("split", header("x-user", "ann")), answerers: 1 },
  { title: "in two subsets by weight", given: ask("split", { path: "/half", ...header("x-user", "ann") }), answerers: 2 },
  { title: "with a weight of nothing", given: ask("split", { path: "/zero", ...header("x-user", "ann") }), answerers: 1 },
];

describe("evaluator and Envoys agree on who gets equal requests", () => {
  let world: WireWorld;
  beforeAll(async () => {
    world = await startWire(MESH.join(""), { settings: { profile: "istio" } });
  });
  afterAll(() => world?.close());

  test.each(CASES)("$title", async ({ given, answerers }) => {
    const { envoy, possible, answerers: foretold } = await world.share(given, 40);
    expect(envoy.size).toBe(answerers);
    expect(foretold).toBe(answerers);
    expect([...possible]).toEqual(expect.arrayContaining([...envoy]));
  });

  test.each([
    ask("header"),
    ask("none"),
    ask("lasting"),
    ask("cookie"),
    ask("split", { path: "/nobody" }),
    ask("split", { path: "/zero" }),
  ])("$authority $path", async (given) => {
    const found = await world.ask(given);
    expect(found, found.join("; ")).toEqual([]);
  });
});
