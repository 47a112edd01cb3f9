import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerCredentials, status, type Server } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeXdsClient, type FakeXdsClientOptions } from "../testing/fake-xds-client.ts";
import { until } from "../testing/until.ts";
import { edsCluster, endpoints, envoyResource, httpListener, policy, routeTo, snapshotOf } from "../testing/xds-fixture.ts";
import { SecretSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { Proxy } from "../model/proxy.ts";
import type { Snapshot } from "../translate/envoy/resource.ts";
import {
  checkLoopback,
  createGrpcServer,
  createXdsService,
  type Clock,
  type Peer,
  type Transport,
  type XdsEvent,
  type XdsLimits,
  type XdsService,
} from "./index.ts";

class FakeClock implements Clock {
  time = 0;
  readonly #runs = new Set<() => void>();
  now = () => this.time;
  every(_period: number, run: () => void) {
    this.#runs.add(run);
    return () => this.#runs.delete(run);
  }
  pass(milliseconds: number): void {
    this.time += milliseconds;
    for (const run of this.#runs) run();
  }
}

const folder = mkdtempSync(join(tmpdir(), "kumiko-serve-"));
let server: Server;
let service: XdsService;
let clock: FakeClock;
let events: XdsEvent[];
let snapshot: Snapshot;
let clients: FakeXdsClient[];
let admit: (peer: Peer, claimed: Proxy) => Proxy | string;

const web = (header = "1", denies = false) => [
  edsCluster("users"),
  endpoints("users", [8080]),
  policy("authz", denies),
  routeTo("web", "users", header),
  httpListener({ name: "web", port: 80, route: "web", policy: "authz" }),
];
const secret = envoyResource("secret", SecretSchema, { name: "kubernetes://shop/cert" });

function start(transport: Transport = "unix", limits: Partial<XdsLimits> = {}): Promise<void> {
  server = createGrpcServer(limits);
  service = createXdsService({
    snapshotFor: () => snapshot,
    admit: (peer, claimed) => admit(peer, claimed),
    observe: (event) => events.push(event),
    limits,
    clock,
  });
  service.register(server, transport);
  return new Promise((resolve, reject) =>
    server.bindAsync(`unix:${folder}/xds.sock`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
}

function connect(kind: "delta" | "sotw" = "delta", options: Partial<FakeXdsClientOptions> = {}): FakeXdsClient {
  const client = new FakeXdsClient(kind, { address: `unix:${folder}/xds.sock`, ...options });
  clients.push(client);
  return client;
}

function set(next: Snapshot): void {
  snapshot = next;
  service.push();
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(() => {
  clock = new FakeClock();
  events = [];
  clients = [];
  snapshot = snapshotOf(web());
  admit = (_peer, claimed) => claimed;
});

afterEach(() => {
  for (const client of clients) client.close();
  service.close();
  server.forceShutdown();
  rmSync(`${folder}/xds.sock`, { force: true });
});

describe("a delta stream", () => {
  test("gets what it asks for, is pushed what changes, and its answers are kept", async () => {
    await start();
    const client = connect("delta", { acknowledges: true });
    client.subscribe("cluster");
    expect((await client.next("cluster")).resources.map(({ name }) => name)).toEqual(["users"]);
    client.subscribe("endpoint", ["users"]);
    client.subscribe("listener");
    client.subscribe("route", ["web"]);
    await client.next("route");
    set(snapshotOf(web("2")));
    expect((await client.next("route", 1)).resources).toHaveLength(1);
    await until("all is acknowledged", () => service.status()[0]?.types.every(({ isSynced }) => isSynced));
    expect(service.status()[0]).toMatchObject({ proxy: { name: "users-1", namespace: "shop" }, isHeldBack: false });
    expect(events.filter(({ kind }) => kind === "ack")).toHaveLength(5);
    expect(client.messagesReceived).toBe(5);
  });

  test("a snapshot with equal content sends nothing", async () => {
    await start();
    const client = connect("delta", { acknowledges: true });
    client.subscribe("cluster");
    await client.next("cluster");
    set(snapshotOf(web()));
    set(snapshotOf([...web(), edsCluster("more"), endpoints("more", [1])]));
    expect((await client.next("cluster", 1)).resources.map(({ name }) => name)).toEqual(["more"]);
  });

  test("pushes coalesce: a client that has not answered gets the newest state only", async () => {
    await start();
    const client = connect("delta");
    client.subscribe("listener");
    const first = await client.next("listener");
    for (let port = 81; port < 90; port++) set(snapshotOf([...web(), httpListener({ name: "other", port, route: "web" })]));
    client.acknowledge(first);
    const second = await client.next("listener", 1);
    expect(second.resources).toMatchObject([{ name: "other", version: [...(snapshot.get("listener")?.values() ?? [])].at(-1)?.version }]);
  });

  test("a dangling snapshot is held back and told; the last good one stays", async () => {
    await start();
    const client = connect("delta", { acknowledges: true });
    client.subscribe("cluster");
    await client.next("cluster");
    set(snapshotOf([routeTo("web", "nowhere")]));
    const event = await until("it is told", () => events.find(({ kind }) => kind === "dangling"));
    expect(event).toMatchObject({ dangling: [{ from: { type: "route", name: "web" }, to: { type: "cluster", name: "nowhere" } }] });
    expect(service.status()[0]).toMatchObject({ isHeldBack: true });
    expect(client.messagesReceived).toBe(1);
  });

  test("a refused resource is quarantined once, and the others follow", async () => {
    await start();
    snapshot = snapshotOf([...web(), httpListener({ name: "bad", port: 81, route: "web" })]);
    const client = connect("delta");
    client.subscribe("listener");
    client.refuse(await client.next("listener"), "Error adding/updating listener(s) bad: no\n");
    const again = await client.next("listener", 1);
    expect(again.resources.map(({ name }) => name)).toEqual(["web"]);
    client.acknowledge(again);
    await until("the refusal is shown", () => service.status()[0]?.types[0]?.refused[0]?.name === "bad");
    expect(events.find(({ kind }) => kind === "nack")).toMatchObject({
      type: "listener",
      resources: [{ name: "bad" }],
      message: expect.stringContaining("no"),
    });
  });
});

describe("state of the world", () => {
  test("sends all listeners each time, and nothing to a client that comes back with the version", async () => {
    await start();
    const client = connect("sotw");
    client.ask("listener");
    const first = await until("listeners", () => client.worlds[0]);
    expect(first.resources).toHaveLength(1);
    client.ask("listener", [], { versionInfo: first.versionInfo, responseNonce: first.nonce });
    await until("the answer", () => events.some(({ kind }) => kind === "ack"));
    set(snapshotOf([...web(), httpListener({ name: "other", port: 81, route: "web" })]));
    const second = await until("both", () => client.worlds[1]);
    expect(second.resources).toHaveLength(2);
    const back = connect("sotw");
    back.ask("listener", [], { versionInfo: second.versionInfo });
    back.ask("route", ["web"]);
    const only = await until("the route alone", () => back.worlds[0]);
    expect(only.typeUrl).toContain("RouteConfiguration");
  });
});

describe("who is turned away", () => {
  test.each<{ title: string; options: Partial<FakeXdsClientOptions>; code: status }>([
    { title: "a node id of another form", options: { nodeId: "nobody" }, code: status.INVALID_ARGUMENT },
    { title: "a namespace that differs from the id", options: { nodeMetadata: { NAMESPACE: "other" } }, code: status.INVALID_ARGUMENT },
    {
      title: "an identity of another service account",
      options: { metadata: { "kumiko-identity": "spiffe://a.test/ns/shop/sa/other" } },
      code: status.PERMISSION_DENIED,
    },
    {
      title: "an identity of another namespace",
      options: { metadata: { "kumiko-identity": "spiffe://a.test/ns/bank/sa/default" } },
      code: status.PERMISSION_DENIED,
    },
    { title: "an identity that is none", options: { metadata: { "kumiko-identity": "admin" } }, code: status.UNAUTHENTICATED },
  ])("$title", async ({ options, code }) => {
    await start();
    const client = connect("delta", options);
    client.subscribe("cluster");
    expect((await client.ended()).code).toBe(code);
    expect(client.messagesReceived).toBe(0);
  });

  test("whom the caller's rule refuses, with its reason", async () => {
    await start();
    admit = () => "not today";
    const client = connect();
    client.subscribe("cluster");
    expect(await client.ended()).toEqual({ code: status.PERMISSION_DENIED, details: "not today" });
  });

  test("who is that workload no more when the mesh changes, with the reason", async () => {
    await start();
    const client = connect();
    client.subscribe("cluster");
    await client.next("cluster");
    admit = () => "it was taken out";
    service.push();
    expect(await client.ended()).toEqual({ code: status.PERMISSION_DENIED, details: "it was taken out" });
    await until("the stream is gone", () => service.status().length === 0);
  });

  test("a stream of a workload that is declared anew: it comes back as what it is now", async () => {
    admit = (_peer, claimed) => ({ ...claimed, labels: { version: "1" } });
    await start();
    const [before, other] = [connect(), connect()];
    for (const client of [before, other]) client.subscribe("cluster");
    for (const client of [before, other]) await client.next("cluster");
    service.push();
    admit = (_peer, claimed) => ({ ...claimed, labels: { version: "2" } });
    service.push();
    expect((await before.ended()).code).toBe(status.UNAVAILABLE);
    const after = connect();
    after.subscribe("cluster");
    await after.next("cluster");
    expect(service.status().map(({ proxy }) => proxy.labels)).toEqual([{ version: "2" }]);
  });

  test("a plaintext client on a server for mTLS", async () => {
    await start("mtls");
    const client = connect();
    client.subscribe("cluster");
    expect((await client.ended()).code).toBe(status.UNAUTHENTICATED);
  });

  test.each([
    { title: "random bytes", bytes: Buffer.from("ffffffffffffffffff", "hex") },
    { title: "a string that ends early", bytes: Buffer.from("0aff01", "hex") },
    { title: "no node", bytes: Buffer.from("120161", "hex") },
    { title: "nothing", bytes: Buffer.alloc(0) },
  ])("$title, and the others are served on", async ({ bytes }) => {
    await start();
    const bad = connect();
    bad.raw(bytes);
    expect((await bad.ended()).code).toBe(status.INVALID_ARGUMENT);
    const good = connect();
    good.subscribe("cluster");
    await good.next("cluster");
  });

  test("a request that is too large, one stream too many, too many requests", async () => {
    await start("unix", { maxRequestBytes: 1_000, maxStreams: 1, requestBurst: 3, requestsPerSecond: 0 });
    const large = connect();
    large.raw(Buffer.alloc(2_000));
    expect((await large.ended()).code).toBe(status.RESOURCE_EXHAUSTED);
    await until("it is gone", () => service.status().length === 0);
    const first = connect();
    first.subscribe("cluster");
    await first.next("cluster");
    const second = connect();
    second.subscribe("cluster");
    expect((await second.ended()).details).toBe("too many streams");
    for (let i = 0; i < 4; i++) first.subscribe("endpoint", [String(i)]);
    expect((await first.ended()).details).toBe("too many requests");
  });

  test("a call that never says who it is", async () => {
    await start();
    const client = connect();
    await until("it is dropped", () => {
      clock.pass(31_000);
      return client.status !== undefined;
    });
    expect(client.status?.code).toBe(status.DEADLINE_EXCEEDED);
  });

  test("a client that leaves a message unanswered for 60 s, and one that answers stays", async () => {
    await start();
    const [hung, well] = [connect("delta"), connect("delta", { acknowledges: true })];
    hung.subscribe("cluster");
    well.subscribe("cluster");
    await Promise.all([hung.next("cluster"), well.next("cluster")]);
    await until("the answer is here", () => events.some(({ kind }) => kind === "ack"));
    clock.pass(59_000);
    expect(service.status()).toHaveLength(2);
    clock.pass(2_000);
    expect((await hung.ended()).code).toBe(status.CANCELLED);
    expect(service.status()).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ kind: "disconnected", reason: "it left a message unanswered" });
  });
});

describe("secrets", () => {
  test.each<{ transport: Transport; title: string; sent: boolean }>([
    { transport: "unix", title: "go over a private socket to who holds them in its snapshot", sent: true },
    { transport: "insecure", title: "never go over plaintext", sent: false },
  ])("$title", async ({ transport, sent }) => {
    await start(transport);
    snapshot = snapshotOf([...web(), secret]);
    const client = connect();
    client.subscribe("secret", [secret.name]);
    const message = await client.next("secret");
    expect(message.resources.map(({ name }) => name)).toEqual(sent ? [secret.name] : []);
    expect(message.removedResources).toEqual(sent ? [] : [secret.name]);
  });

  test("that the snapshot doesn't hold are answered as absent", async () => {
    await start();
    const client = connect();
    client.subscribe("secret", ["kubernetes://bank/cert"]);
    expect(await client.next("secret")).toMatchObject({ resources: [], removedResources: ["kubernetes://bank/cert"] });
  });
});

test("a translation that throws is told, and the stream stays", async () => {
  await start();
  const client = connect("delta", { acknowledges: true });
  client.subscribe("cluster");
  await client.next("cluster");
  const good = snapshot;
  snapshot = undefined as unknown as Snapshot;
  service.push();
  await until("it is told", () => events.some(({ kind }) => kind === "failed"));
  set(snapshotOf([...web(), edsCluster("more"), endpoints("more", [1])]));
  await client.next("cluster", 1);
  expect(good.size).toBe(6);
});

describe("insecure xDS", () => {
  test.each(["127.0.0.1:15010", "localhost:1", "[::1]:15010", "127.1.2.3:80"])("may listen on %s", (address) => {
    expect(() => checkLoopback(address)).not.toThrow();
  });
  test.each(["0.0.0.0:15010", "10.0.0.1:15010", "[::]:15010", ":15010", "example.com:1", "127.0.0.1:99999", "127.evil.com:80"])(
    "may not listen on %s",
    (address) => {
      expect(() => checkLoopback(address)).toThrow("loopback");
    },
  );
});
