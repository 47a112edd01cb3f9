import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokerStandIn, startStandIn as startBroker } from "@platform/broker";
import { type StandIn, startStandIn as startDatabase } from "@platform/database";
import { freePort } from "@platform/setup/testing";
import { placesOf, setUp } from "@platform/setup";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { bearer, Client, type Replica, startReplica } from "./testing.ts";

const WAIT = { timeout: 30_000, interval: 50 };
const folder = mkdtempSync(join(tmpdir(), "platform-outage-"));
const places = placesOf({ PLATFORM_STATE: folder });
let ports: { database: number; broker: number };
let database: StandIn;
let broker: BrokerStandIn;
let a: Replica;
let b: Replica;

const log = () => undefined;
const startAll = {
  database: () => startDatabase(places, { port: ports.database, log, durable: false }),
  broker: () => startBroker(places, { port: ports.broker, log }),
};

beforeAll(async () => {
  ports = { database: await freePort(), broker: await freePort() };
  await setUp(places);
  [database, broker] = await Promise.all([startAll.database(), startAll.broker()]);
  a = await startReplica(database, broker);
  b = await startReplica(database, broker);
});
afterAll(async () => {
  await Promise.all([a?.server.close(), b?.server.close()]);
  await Promise.all([database?.stop(), broker?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const post = async (path: string, payload: object) => {
  const answer = await a.server.inject({ method: "POST", url: `/api/v1/chat/rooms${path}`, headers: bearer("alice"), payload });
  return { status: answer.statusCode, body: answer.json() as { id: string } };
};

async function follow(replica: Replica, roomId: string): Promise<Client> {
  const client = await Client.connect(replica.url, "alice");
  client.say({ type: "subscribe", roomId });
  await vi.waitFor(() => expect(client.of("subscribed")).toHaveLength(1), WAIT);
  return client;
}

test("while the broker is away messages are stored and acknowledged, and heard on the other replica all the same; then all goes on", async () => {
  const { id } = (await post("", { name: "Room" })).body;
  const client = await follow(b, id);
  process.kill(broker.pid, "SIGKILL");
  await broker.ended;
  for (const text of ["1", "2", "3"]) expect((await post(`/${id}/messages`, { text })).status).toBe(201);
  await vi.waitFor(() => expect(client.texts()).toEqual(["1", "2", "3"]), WAIT);
  broker = await startAll.broker();
  await post(`/${id}/messages`, { text: "4" });
  await vi.waitFor(() => expect(client.texts()).toEqual(["1", "2", "3", "4"]), WAIT);
  await client.close();
});

test("while the database is away what is said is refused clearly, sockets stay open, and then all goes on", async () => {
  const { id } = (await post("", { name: "Room" })).body;
  const client = await follow(b, id);
  await database.stop();
  expect((await post(`/${id}/messages`, { text: "lost" })).status).toBe(503);
  const clientId = randomUUID();
  client.say({ type: "post", roomId: id, text: "1", clientId });
  await vi.waitFor(() => expect(client.of("problem")).toMatchObject([{ status: 503, roomId: id, clientId }]), WAIT);
  database = await startAll.database();
  // As a client does: the same message again.
  await vi.waitFor(
    () => {
      client.say({ type: "post", roomId: id, text: "1", clientId });
      expect(client.of("posted").length).toBeGreaterThan(0);
    },
    { ...WAIT, interval: 300 },
  );
  expect((await post(`/${id}/messages`, { text: "2" })).status).toBe(201);
  await vi.waitFor(() => expect(client.texts()).toEqual(["1", "2"]), WAIT);
  await client.close();
});
