import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, Metadata, ServerCredentials, status, type Server } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SecretSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { FAKE_NODE_ID, FakeXdsClient, type FakeXdsClientOptions } from "../testing/fake-xds-client.ts";
import { until } from "../testing/until.ts";
import { edsCluster, endpoints, envoyResource, httpListener, routeTo, snapshotOf } from "../testing/xds-fixture.ts";
import type { Snapshot } from "../translate/envoy/resource.ts";
import { createGrpcServer, createXdsService, type XdsEvent, type XdsService } from "../xds/index.ts";
import { startRelay, type Relay, type RelayEvent, type RelayOptions } from "./relay.ts";
import type { LocalSecret } from "./sds.ts";

let folder = "";
let server: Server;
let service: XdsService;
let relay: Relay;
let clients: FakeXdsClient[];
let events: XdsEvent[];
let relayEvents: RelayEvent[];
let snapshot: Snapshot;
let own: Map<string, LocalSecret>;
let changed: () => void;
let mayServeStale: boolean;

const users = envoyResource("secret", SecretSchema, { name: "kubernetes://shop/cert" });
const web = (header = "1") => [
  edsCluster("users"),
  endpoints("users", [8080]),
  routeTo("web", "users", header),
  httpListener({ name: "web", port: 80, route: "web" }),
  users,
];

async function startControlPlane(): Promise<void> {
  server = createGrpcServer();
  const seen = events;
  service = createXdsService({ snapshotFor: () => snapshot, admit: (_peer, claimed) => claimed, observe: (event) => seen.push(event) });
  service.register(server, "unix");
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${folder}/cp.sock`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error))),
  );
}

function stopControlPlane(): void {
  service.close();
  server.forceShutdown();
  rmSync(`${folder}/cp.sock`, { force: true });
}

const connectToControlPlane: RelayOptions["upstream"]["connect"] = () => ({
  client: new Client(`unix:${folder}/cp.sock`, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
  metadata: new Metadata(),
});

async function start(over: Partial<RelayOptions> = {}): Promise<void> {
  relay = await startRelay({
    socketPath: `${folder}/xds.sock`,
    upstream: { connect: connectToControlPlane, longestWaitMs: 1000 },
    node: FAKE_NODE_ID,
    secrets: {
      current: (name) => own.get(name),
      onChange: (callback) => {
        changed = callback;
        return () => undefined;
      },
    },
    mayServeStale: () => mayServeStale,
    cacheFile: `${folder}/copy`,
    observe: (event) => relayEvents.push(event),
    random: () => 0.05,
    ...over,
  });
}

function envoy(options: Partial<FakeXdsClientOptions> = {}): FakeXdsClient {
  const client = new FakeXdsClient("delta", { address: `unix:${folder}/xds.sock`, acknowledges: true, ...options });
  clients.push(client);
  return client;
}

/** What Envoy asks for as it starts. */
async function startAs(client: FakeXdsClient): Promise<void> {
  client.subscribe("cluster");
  await client.next("cluster");
  client.subscribe("endpoint", ["users"]);
  await client.next("endpoint");
  client.subscribe("listener");
  await client.next("listener");
  client.subscribe("route", ["web"]);
  await client.next("route");
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-relay-"));
  clients = [];
  events = [];
  relayEvents = [];
  snapshot = snapshotOf(web());
  own = new Map([
    ["default", { version: "1", bytes: Buffer.from("own") }],
    ["ROOTCA", { version: "1", bytes: Buffer.from("roots") }],
  ]);
  changed = () => undefined;
  mayServeStale = true;
  await startControlPlane();
});

afterEach(async () => {
  for (const client of clients) client.close();
  await relay.close();
  stopControlPlane();
  rmSync(folder, { recursive: true, force: true });
});

describe("the relay", () => {
  test("passes answers on in both directions, refusals included", async () => {
    await start();
    const client = envoy({ acknowledges: false });
    client.subscribe("cluster");
    client.refuse(await client.next("cluster"), "Error adding/updating cluster(s) users: no");
    const nack = await until("the control plane knows", () => events.find(({ kind }) => kind === "nack"));
    expect(nack).toMatchObject({ type: "cluster", resources: [{ name: "users" }] });
    expect(relay.status().lastError).toContain("users: no");
  });

  test("answers its own secrets itself, sends them again when they change, and asks the control plane for the others", async () => {
    await start();
    const client = envoy();
    client.subscribe("secret", ["default"]);
    client.subscribe("secret", [users.name]);
    await until("two secrets", () => client.deltas.length === 2);
    client.subscribe("secret", ["ROOTCA"]);
    await until("three secrets", () => client.deltas.length === 3);
    own.set("default", { version: "2", bytes: Buffer.from("renewed") });
    changed();
    const renewed = await until("the new certificate", () => client.deltas[3]);
    expect(renewed.resources.map(({ name, version }) => [name, version])).toEqual([["default", "2"]]);
    client.subscribe("cluster");
    await client.next("cluster");
    const asked = service.status()[0]?.types.find(({ type }) => type === "secret");
    expect(asked).toMatchObject({ subscribed: 1, held: 1 });
  });

  test("says nothing of a secret that it doesn't have, until it has it", async () => {
    own.clear();
    await start();
    const client = envoy();
    client.subscribe("cluster");
    client.subscribe("secret", ["default"]);
    await client.next("cluster");
    expect(client.deltas).toHaveLength(1);
    own.set("default", { version: "1", bytes: Buffer.from("own") });
    changed();
    expect((await client.next("secret")).resources.map(({ name }) => name)).toEqual(["default"]);
  });

  test("refuses another node than its own", async () => {
    await start();
    const client = envoy({ nodeId: "sidecar~10.0.0.1~admin.bank~bank.svc.cluster.local" });
    client.subscribe("cluster");
    expect((await client.ended()).code).toBe(status.PERMISSION_DENIED);
    expect(events).toEqual([]);
  });

  test("tells the control plane the metadata that it knows, not what comes over the socket", async () => {
    await start({ nodeMetadata: { NAMESPACE: "shop", LABELS: { app: "users" } } });
    const client = envoy({ nodeMetadata: { LABELS: { app: "admin" } } });
    client.subscribe("cluster");
    await client.next("cluster");
    expect(service.status()[0]?.proxy.labels).toEqual({ app: "users" });
  });

  test("tells metadata that has changed on a stream of its own: Envoy's goes on, and gets only what follows", async () => {
    await start({ nodeMetadata: { LABELS: { app: "users" } } });
    const client = envoy();
    await startAs(client);
    await until("all is acknowledged", () => service.status()[0]?.types.every(({ isSynced }) => isSynced));
    const before = client.messagesReceived;
    snapshot = snapshotOf(web("2"));
    relay.setNodeMetadata({ LABELS: { app: "others" } });
    const next = await client.next("route", 1);
    expect(next.resources.map(({ name }) => name)).toEqual(["web"]);
    await until("one stream is left", () => service.status().length === 1);
    expect(service.status()[0]?.proxy.labels).toEqual({ app: "others" });
    await until("it is acknowledged", () => service.status()[0]?.types.every(({ isSynced }) => isSynced));
    expect(client.messagesReceived).toBe(before + 1);
    expect(client.status).toBeUndefined();
    expect(relayEvents.filter(({ kind }) => kind !== "ack")).toEqual([{ kind: "connected" }, { kind: "connected" }]);
  });

  test("tells the newest metadata, whatever came between its asking and the stream's beginning", async () => {
    await start({ nodeMetadata: { LABELS: { app: "users" } } });
    const client = envoy();
    relay.setNodeMetadata({ LABELS: { app: "others" } });
    client.subscribe("cluster");
    await client.next("cluster");
    expect(service.status().map(({ proxy }) => proxy.labels)).toEqual([{ app: "others" }]);
  });

  test("metadata that changes on and on costs few streams, each of which has time to say something, and the last counts", async () => {
    const connect = vi.fn<typeof connectToControlPlane>(connectToControlPlane);
    await start({ upstream: { connect, longestWaitMs: 1000 } });
    await startAs(envoy());
    for (let i = 1; i <= 100; i++) relay.setNodeMetadata({ LABELS: { app: `users-${i}` } });
    await until("the last is told", () => service.status().some(({ proxy }) => proxy.labels["app"] === "users-100"));
    expect(connect.mock.calls.length).toBeLessThanOrEqual(3);
  });

  test("metadata that changes while the control plane is away doesn't shorten the waits for it", async () => {
    const connect = vi.fn<typeof connectToControlPlane>(() => {
      throw new Error("away");
    });
    await start({ upstream: { connect, longestWaitMs: 60_000 }, random: () => 1 });
    envoy().subscribe("cluster");
    await until("a failed attempt", () => relayEvents.some(({ kind }) => kind === "disconnected"));
    for (let i = 1; i <= 100; i++) relay.setNodeMetadata({ LABELS: { app: `users-${i}` } });
    expect(connect.mock.calls.length).toBeLessThan(10);
  });

  test("what was on its way to Envoy when a stream ended is taken away where the next one offers it no longer", async () => {
    await start();
    const client = envoy({ acknowledges: false });
    client.subscribe("cluster");
    client.subscribe("listener");
    await client.next("cluster");
    snapshot = snapshotOf([]);
    relay.setNodeMetadata({ LABELS: { app: "others" } });
    client.acknowledge(await client.next("listener"));
    expect((await client.next("cluster", 1)).removedResources).toEqual(["users"]);
  });

  test("what was being taken from Envoy when a stream ended is sent again where the next one offers it", async () => {
    await start();
    const client = envoy({ acknowledges: false });
    client.subscribe("cluster");
    client.acknowledge(await client.next("cluster"));
    await until("it is acknowledged", () => events.some(({ kind }) => kind === "ack"));
    const offered = snapshot;
    snapshot = snapshotOf([]);
    service.push();
    expect((await client.next("cluster", 1)).removedResources).toEqual(["users"]);
    snapshot = offered;
    relay.setNodeMetadata({ LABELS: { app: "others" } });
    expect((await client.next("cluster", 2)).resources.map(({ name }) => name)).toEqual(["users"]);
  });

  test("ends a stream of garbage and serves the next", async () => {
    await start();
    const bad = envoy();
    bad.raw(Buffer.from("ffffff", "hex"));
    expect((await bad.ended()).code).toBe(status.INVALID_ARGUMENT);
    const good = envoy();
    good.subscribe("cluster");
    await good.next("cluster");
  });

  test.each([
    { title: "garbage", speak: (stranger: ReturnType<typeof envoy>) => stranger.raw(Buffer.from("ffffff", "hex")), nodeId: undefined },
    {
      title: "another node",
      speak: (stranger: ReturnType<typeof envoy>) => stranger.subscribe("cluster"),
      nodeId: "sidecar~10.0.0.1~a.b~b.svc.cluster.local",
    },
  ])("$title on the socket costs the proxy nothing: its stream goes on", async ({ speak, nodeId }) => {
    await start();
    const client = envoy();
    client.subscribe("cluster");
    await client.next("cluster");
    const stranger = envoy(nodeId === undefined ? {} : { nodeId });
    speak(stranger);
    await stranger.ended();
    expect(relay.status().connected).toBe(true);
    client.subscribe("secret", ["default"]);
    expect((await client.next("secret")).resources.map(({ name }) => name)).toEqual(["default"]);
  });

  test("keeps its socket and its copy private, and writes no secret to disk", async () => {
    await start();
    const client = envoy();
    await startAs(client);
    client.subscribe("secret", [users.name, "default"]);
    await client.next("secret", 1);
    await until("the copy is written", () => existsSync(`${folder}/copy`));
    expect(statSync(`${folder}/xds.sock`).mode & 0o777).toBe(0o600);
    await relay.close();
    expect(readFileSync(`${folder}/copy`).includes("kubernetes://")).toBe(false);
    expect(readFileSync(`${folder}/copy`).includes("users")).toBe(true);
  });
});

describe("without the control plane", () => {
  test("Envoy's stream goes on, and after the reconnect only what changed comes", async () => {
    await start();
    const client = envoy();
    await startAs(client);
    await until("all is acknowledged", () => service.status()[0]?.types.every(({ isSynced }) => isSynced));
    stopControlPlane();
    await until("it is noticed", () => !relay.status().connected);
    const before = client.messagesReceived;
    snapshot = snapshotOf(web("2"));
    await startControlPlane();
    const next = await client.next("route", 1);
    expect(next.resources.map(({ name }) => name)).toEqual(["web"]);
    expect(client.messagesReceived).toBe(before + 1);
    expect(client.status).toBeUndefined();
  });

  test("however long the control plane is away, no wait for it is longer than the longest", async () => {
    const longestWaitMs = 20;
    let attempts = 0;
    const connect = () => {
      attempts += 1;
      throw new Error("away");
    };
    await start({ upstream: { connect, longestWaitMs }, random: () => 1 });
    envoy().subscribe("cluster");
    // With waits that double from the first on, the hundredth attempt would never come.
    await until("a hundred attempts", () => attempts >= 100);
    expect(relay.status()).toMatchObject({ connected: false, lastError: "the control plane can't be reached: away" });
  });

  test("what was removed meanwhile is removed after the reconnect", async () => {
    await start();
    const client = envoy();
    await startAs(client);
    await until("all is acknowledged", () => service.status()[0]?.types.every(({ isSynced }) => isSynced));
    stopControlPlane();
    await until("it is noticed", () => !relay.status().connected);
    snapshot = snapshotOf([]);
    await startControlPlane();
    const gone = await until("the removal", () =>
      client.deltas.find(({ removedResources, typeUrl }) => removedResources.length > 0 && typeUrl.includes("Cluster")),
    );
    expect(gone.removedResources).toEqual(["users"]);
  });

  test("a proxy that starts again gets the last good copy, and the status says so", async () => {
    await start();
    await startAs(envoy());
    await until("all is acknowledged", () => service.status()[0]?.types.every(({ isSynced }) => isSynced));
    clients[0]?.close();
    stopControlPlane();
    await startAs(envoy());
    expect(relay.status()).toMatchObject({ connected: false, stale: true });
  });

  test("without a valid certificate it gets nothing, until there is one", async () => {
    await start();
    await startAs(envoy());
    await until("all is acknowledged", () => service.status()[0]?.types.every(({ isSynced }) => isSynced));
    clients[0]?.close();
    stopControlPlane();
    mayServeStale = false;
    const client = envoy();
    client.subscribe("cluster");
    relayEvents.length = 0;
    await until("a failed attempt", () => relayEvents.some(({ kind }) => kind === "disconnected"));
    expect(client.messagesReceived).toBe(0);
    mayServeStale = true;
    changed();
    await client.next("cluster");
  });

  test("a copy that is empty takes nothing away from a proxy that holds all", async () => {
    stopControlPlane();
    await start({ cacheFile: `${folder}/none` });
    const client = envoy();
    client.subscribe("cluster", [], { initialResourceVersions: { users: "1" } });
    client.subscribe("listener", [], { initialResourceVersions: { web: "1" } });
    await until("two failed attempts", () => relayEvents.filter(({ kind }) => kind === "disconnected").length >= 2);
    expect(client.messagesReceived).toBe(0);
  });
});
