import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { edsCluster, endpoints, httpListener, policy, routeTo, snapshotOf } from "../testing/xds-fixture.ts";
import { until } from "../testing/until.ts";
import { freePort } from "../testing/free-port.ts";
import { findTestEnvoy, XdsWorld } from "../testing/xds-world.ts";

const envoy = await findTestEnvoy();

interface Wanted {
  readonly cluster?: string;
  readonly connectTimeoutS?: number;
  readonly header?: string;
  readonly denies?: boolean;
  readonly badListener?: boolean;
  readonly application?: "a" | "b";
}

function matches(actual: unknown, expected: object): boolean {
  try {
    expect(actual).toMatchObject(expected);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(envoy === undefined)("a real Envoy behind the relay", () => {
  const world = new XdsWorld(envoy ?? "");
  let port = 0;
  let badPort = 0;
  let applications = { a: 0, b: 0 };

  const snapshot = ({
    cluster = "users",
    connectTimeoutS = 1,
    header = "1",
    denies = false,
    badListener = false,
    application = "a",
  }: Wanted) =>
    snapshotOf([
      edsCluster(cluster, connectTimeoutS),
      endpoints(cluster, [applications[application]]),
      policy("authz", denies),
      routeTo("web", cluster, header),
      httpListener({ name: "web", port, route: "web", policy: "authz" }),
      ...(badListener ? [httpListener({ name: "bad", port: badPort, route: "web", isBad: true })] : []),
    ]);

  const get = () => world.get(port);
  const synced = () => until("all is acknowledged", () => world.isSynced());

  beforeAll(async () => {
    port = await freePort();
    badPort = await freePort();
    applications = { a: await world.startApplication("a"), b: await world.startApplication("b") };
    world.set(snapshot({}));
    await world.startControlPlane();
    await world.startRelay();
    world.startEnvoy();
  });

  afterAll(() => world.close());

  test("starts and serves", async () => {
    const reply = await until("a first 200", async () => ((await get())?.status === 200 ? get() : undefined));
    expect(reply).toMatchObject({ status: 200, body: "a", headers: { "x-route": "1" } });
    await synced();
    expect(world.relay.status()).toMatchObject({ connected: true, stale: false, acknowledged: true });
  });

  test.each<{ title: string; wanted: Wanted; expected: object }>([
    { title: "a route", wanted: { header: "2" }, expected: { status: 200, headers: { "x-route": "2" } } },
    { title: "a policy", wanted: { denies: true }, expected: { status: 403 } },
    { title: "endpoints", wanted: { application: "b" }, expected: { status: 200, body: "b" } },
    { title: "a cluster alone, which warms anew", wanted: { connectTimeoutS: 2, application: "b" }, expected: { status: 200, body: "b" } },
    {
      title: "a cluster, its endpoints, route and policy at once",
      wanted: { cluster: "videos", header: "3", application: "b" },
      expected: { status: 200, body: "b", headers: { "x-route": "3" } },
    },
  ])("changes $title", async ({ wanted, expected }) => {
    world.set(snapshot(wanted));
    // Envoy gives up waiting for a warming cluster's endpoints after 15 s: less than that shows that they were sent.
    await until("all is acknowledged", () => world.isSynced(), 12_000);
    await until("it took effect", async () => matches(await get(), expected), 30_000).catch(() => undefined);
    expect(await get()).toMatchObject(expected);
  });

  test("swaps clusters under requests, and no request fails", async () => {
    const replies: (number | undefined)[] = [];
    let isRunning = true;
    const load = (async () => {
      while (isRunning) replies.push((await get())?.status);
    })();
    for (let i = 0; i < 30; i++) {
      const cluster = `swap-${i % 3}`;
      world.set(snapshot({ cluster, header: String(i), application: i % 2 === 0 ? "a" : "b" }));
      await until(`route ${i} arrived`, async () => (await get())?.headers["x-route"] === String(i));
    }
    isRunning = false;
    await load;
    await synced();
    expect(replies.length).toBeGreaterThan(30);
    expect(replies.filter((status) => status !== 200)).toEqual([]);
    const held = world.service.status()[0]?.types.find(({ type }) => type === "cluster")?.held;
    expect(held, "old clusters went").toBe(1);
  });

  test("one bad listener is refused by name, the good ones serve, and it is not sent again", async () => {
    world.events.length = 0;
    world.set(snapshot({ badListener: true, header: "beside-bad" }));
    const nack = await until("a refusal", () => world.events.find((event) => event.kind === "nack"));
    expect(nack).toMatchObject({ type: "listener", resources: [{ name: "bad" }] });
    await until("the route beside it", async () => (await get())?.headers["x-route"] === "beside-bad");
    world.set(snapshot({ badListener: true, header: "later" }));
    await until("a later change", async () => (await get())?.headers["x-route"] === "later");
    expect(world.events.filter((event) => event.kind === "nack")).toHaveLength(1);
    world.set(snapshot({ header: "mended" }));
    await synced();
    expect((await get())?.headers["x-route"]).toBe("mended");
  });

  test("a control plane that comes back sends nothing to a proxy that holds all", async () => {
    world.stopControlPlane();
    await until("the relay noticed", () => !world.relay.status().connected);
    expect((await get())?.status).toBe(200);
    world.events.length = 0;
    world.relayEvents.length = 0;
    await world.startControlPlane();
    await until("the relay is back", () => world.relay.status().connected);
    await synced();
    expect(world.events.map(({ kind }) => kind)).toEqual(["connected"]);
    expect(world.relayEvents.filter(({ kind }) => kind === "ack")).toEqual([]);
    world.set(snapshot({ header: "after" }));
    await until("the next change", async () => (await get())?.headers["x-route"] === "after");
  });

  test("Envoy starts again while the control plane is away and serves the last good copy, marked stale", async () => {
    await synced();
    world.stopControlPlane();
    await until("the relay noticed", () => !world.relay.status().connected);
    await world.killEnvoy();
    world.startEnvoy();
    await until("it serves", async () => (await get())?.headers["x-route"] === "after");
    expect(world.relay.status()).toMatchObject({ connected: false, stale: true });
  });

  test("so it does behind an agent that started again too, from the copy on disk; back in touch, it is no longer stale", async () => {
    await world.killEnvoy();
    await world.stopRelay();
    await world.startRelay();
    world.startEnvoy();
    await until("it serves", async () => (await get())?.headers["x-route"] === "after");
    expect(world.relay.status().stale).toBe(true);
    world.set(snapshot({ header: "back" }));
    await world.startControlPlane();
    await until("the change arrives", async () => (await get())?.headers["x-route"] === "back");
    expect(world.relay.status()).toMatchObject({ connected: true, stale: false });
  });

  test("an agent that starts again under a running Envoy cuts nothing", async () => {
    await synced();
    await world.stopRelay();
    expect((await get())?.status).toBe(200);
    world.events.length = 0;
    await world.startRelay();
    await until("Envoy is back", () => world.relay.status().connected);
    world.set(snapshot({ header: "again" }));
    await until("the change arrives", async () => (await get())?.headers["x-route"] === "again");
    expect(world.events.filter((event) => event.kind === "ack" && event.type !== "route")).toEqual([]);
  });
});
