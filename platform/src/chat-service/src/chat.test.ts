import { randomUUID } from "node:crypto";
import { type BrokerStandIn, startForTest as startBroker } from "@platform/broker/testing";
import { type StandIn, startForTest as startDatabase } from "@platform/database/testing";
import { createOutbox, openBroker, startRelay, userSignedUp, videoPublished } from "@platform/events";
import { inTransaction, openPool, type Pool } from "@platform/service-kit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { LOBBY } from "./rooms.ts";
import { bearer, Client, type Replica, startReplica, tokenOf } from "./testing.ts";

const WAIT = { timeout: 15_000, interval: 20 };
let database: StandIn;
let broker: BrokerStandIn;
let pool: Pool;
/** Two replicas, as behind a Service. */
let a: Replica;
let b: Replica;
const lines: string[] = [];

beforeAll(async () => {
  [database, broker] = await Promise.all([startDatabase(), startBroker()]);
  pool = openPool({
    url: database.serviceUrl("chats"),
    ca: database.ca,
    poolSize: 4,
    applicationName: "test",
    onIdleError: () => undefined,
  });
  a = await startReplica(database, broker, { lines });
  b = await startReplica(database, broker);
});
afterAll(async () => {
  await Promise.all([a?.server.close(), b?.server.close()]);
  await pool?.end();
  await Promise.all([database?.stop(), broker?.stop()]);
});

interface Asked {
  readonly status: number;
  readonly body: { [name: string]: unknown };
}

async function ask(sub: string, method: "GET" | "POST", path: string, payload?: object, replica = a): Promise<Asked> {
  const answer = await replica.server.inject({
    method,
    url: `/api/v1/chat${path}`,
    headers: bearer(sub),
    ...(payload !== undefined && { payload }),
  });
  return { status: answer.statusCode, body: answer.json() };
}

async function room(...members: string[]): Promise<string> {
  const [first = "alice", ...others] = members;
  const { body } = await ask(first, "POST", "/rooms", { name: "Room" });
  for (const sub of others) await ask(sub, "POST", `/rooms/${body["id"]}/join`);
  return String(body["id"]);
}

const say = (sub: string, roomId: string, text: string) => ask(sub, "POST", `/rooms/${roomId}/messages`, { text });

async function follow(replica: Replica, sub: string, roomId: string, after?: number): Promise<Client> {
  const client = await Client.connect(replica.url, sub);
  client.say({ type: "subscribe", roomId, ...(after !== undefined && { after }) });
  await vi.waitFor(() => expect(client.of("subscribed")).toHaveLength(1), WAIT);
  return client;
}

describe("rooms", () => {
  test("whoever makes one is in it; others see it, and join", async () => {
    const made = await ask("alice", "POST", "/rooms", { name: "  Tea  " });
    expect(made).toMatchObject({ status: 201, body: { name: "Tea", createdBy: "alice", joined: true, unread: 0, lastSeq: 0 } });
    const path = `/rooms/${made.body["id"]}`;
    expect(await ask("carol", "GET", path)).toMatchObject({ status: 200, body: { joined: false } });
    expect(await ask("carol", "POST", `${path}/join`)).toMatchObject({ status: 200, body: { joined: true } });
    expect(await ask("carol", "POST", `${path}/leave`)).toMatchObject({ status: 200, body: { joined: false } });
  });

  test("pages hold every room once, newest first", async () => {
    const made = [await room("alice"), await room("alice"), await room("alice")];
    const seen: unknown[] = [];
    let after = "";
    do {
      const { body } = await ask("carol", "GET", `/rooms?limit=2${after}`);
      seen.push(...(body["rooms"] as { id: string }[]).map(({ id }) => id));
      after = body["next"] === null ? "" : `&after=${String(body["next"])}`;
    } while (after !== "");
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.slice(0, 3)).toEqual(made.toReversed());
  });

  test("what is not there, and what is not one's own, is refused", async () => {
    const id = await room("alice");
    expect(await ask("alice", "GET", `/rooms/${randomUUID()}`)).toMatchObject({ status: 404 });
    expect(await ask("alice", "POST", `/rooms/${randomUUID()}/join`)).toMatchObject({ status: 404 });
    expect(await say("carol", id, "hi")).toMatchObject({ status: 403 });
    expect(await ask("carol", "GET", `/rooms/${id}/messages`)).toMatchObject({ status: 403 });
    expect(await ask("carol", "GET", `/rooms/${id}/presence`)).toMatchObject({ status: 403 });
    expect(await ask("alice", "POST", "/rooms", { name: " " })).toMatchObject({ status: 400 });
    expect((await a.server.inject({ url: "/api/v1/chat/rooms" })).statusCode).toBe(401);
  });
});

describe("messages", () => {
  test("the history has pages, newest first, and numbers without a gap", async () => {
    const id = await room("alice", "carol");
    for (const text of ["1", "2", "3", "4", "5"]) expect((await say("alice", id, text)).status).toBe(201);
    const first = await ask("carol", "GET", `/rooms/${id}/messages?limit=3`);
    const second = await ask("carol", "GET", `/rooms/${id}/messages?limit=3&after=${String(first.body["next"])}`);
    const all = [first, second].flatMap(({ body }) => body["messages"] as { seq: number; text: string; author: string }[]);
    expect(all.map(({ seq, text }) => [seq, text])).toEqual([5, 4, 3, 2, 1].map((seq) => [seq, String(seq)]));
    expect([second.body["next"], all[0]?.author]).toEqual([null, "alice"]);
  });

  test("unread is counted, by room and over all, and ends by reading", async () => {
    const reader = `reader-${randomUUID()}`;
    const id = await room("alice");
    await say("alice", id, "before");
    await ask(reader, "POST", `/rooms/${id}/join`);
    for (const text of ["1", "2", "3"]) await say("alice", id, text);
    expect(await ask(reader, "GET", "/unread")).toMatchObject({ body: { total: 3, rooms: [{ id, name: "Room", unread: 3 }] } });
    expect(await ask(reader, "POST", `/rooms/${id}/read`, { seq: 3 })).toMatchObject({ body: { unread: 1 } });
    expect(await ask(reader, "POST", `/rooms/${id}/read`, { seq: 99 })).toMatchObject({ body: { unread: 0 } });
    expect(await ask(reader, "POST", `/rooms/${id}/read`, { seq: 1 })).toMatchObject({ body: { unread: 0 } });
    expect(await ask(reader, "GET", "/unread")).toMatchObject({ body: { total: 0, rooms: [] } });
    await say(reader, id, "mine");
    expect(await ask(reader, "GET", "/unread")).toMatchObject({ body: { total: 0 } });
  });

  test("sent twenty times at once with the same client id, it is stored once", async () => {
    const id = await room("alice");
    const clientId = randomUUID();
    const send = (_: unknown, i: number) => ask("alice", "POST", `/rooms/${id}/messages`, { text: "hi", clientId }, i % 2 === 0 ? a : b);
    const answers = await Promise.all(Array.from({ length: 20 }, send));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
    expect(new Set(answers.map(({ body }) => body["id"])).size).toBe(1);
    const other = await room("alice");
    expect(await ask("alice", "POST", `/rooms/${other}/messages`, { text: "hi", clientId })).toMatchObject({ status: 409 });
  });
});

describe("live, over WebSocket", () => {
  test("what is said on one replica is heard on both, in order, once", async () => {
    const id = await room("alice", "carol");
    const [alice, carol] = [await follow(a, "alice", id), await follow(b, "carol", id)];
    const said = Array.from({ length: 30 }, (_, i) => String(i));
    for (const text of said) alice.say({ type: "post", roomId: id, text, clientId: randomUUID() });
    await vi.waitFor(() => expect([alice.texts(), carol.texts()]).toEqual([said, said]), WAIT);
    expect(alice.of("posted").map(({ message }) => message.text)).toEqual(said);
    await Promise.all([alice.close(), carol.close()]);
  });

  test("two who speak at the same time are heard in one order by everybody", async () => {
    const id = await room("alice", "carol");
    const [alice, carol] = [await follow(a, "alice", id), await follow(b, "carol", id)];
    for (let i = 0; i < 15; i++) {
      alice.say({ type: "post", roomId: id, text: `a${i}`, clientId: randomUUID() });
      carol.say({ type: "post", roomId: id, text: `c${i}`, clientId: randomUUID() });
    }
    await vi.waitFor(() => expect(alice.texts()).toHaveLength(30), WAIT);
    await vi.waitFor(() => expect(carol.texts()).toEqual(alice.texts()), WAIT);
    await Promise.all([alice.close(), carol.close()]);
  });

  test("who comes back gets what was said meanwhile, and then what is new", async () => {
    const id = await room("alice", "carol");
    await say("alice", id, "1");
    await say("alice", id, "2");
    const carol = await follow(b, "carol", id, 1);
    await vi.waitFor(() => expect(carol.texts()).toEqual(["2"]), WAIT);
    await say("alice", id, "3");
    await vi.waitFor(() => expect(carol.texts()).toEqual(["2", "3"]), WAIT);
    await carol.close();
  });

  test("presence: who comes and goes is told on both replicas", async () => {
    const id = await room("alice", "carol");
    const alice = await follow(a, "alice", id);
    const carol = await follow(b, "carol", id);
    const online = () =>
      alice
        .of("presence")
        .at(-1)
        ?.online.map(({ subject }) => subject);
    await vi.waitFor(() => expect(online()).toEqual(["alice", "carol"]), WAIT);
    expect((await ask("alice", "GET", `/rooms/${id}/presence`)).body).toMatchObject({
      online: [{ subject: "alice" }, { subject: "carol" }],
    });
    await carol.close();
    await vi.waitFor(() => expect(online()).toEqual(["alice"]), WAIT);
    await alice.close();
    await vi.waitFor(async () => expect((await ask("alice", "GET", `/rooms/${id}/presence`)).body).toEqual({ online: [] }), WAIT);
  });

  test("what does not fit is answered, and the connection stays", async () => {
    const [id, foreign] = [await room("alice"), await room("carol")];
    const alice = await follow(a, "alice", id);
    alice.socket.send("{");
    alice.say({ type: "shout", roomId: id });
    alice.say({ type: "subscribe", roomId: foreign });
    alice.say({ type: "post", roomId: foreign, text: "hi", clientId: randomUUID() });
    alice.say({ type: "subscribe", roomId: randomUUID() });
    await vi.waitFor(() => expect(alice.of("problem").map(({ status }) => status)).toEqual([400, 400, 403, 403, 404]), WAIT);
    alice.say({ type: "post", roomId: id, text: "still here", clientId: randomUUID() });
    await vi.waitFor(() => expect(alice.texts()).toEqual(["still here"]), WAIT);
    for (let i = 0; i < 60; i++) alice.say({ type: "read", roomId: id, seq: 1 });
    await vi.waitFor(() => expect(alice.of("problem").some(({ status }) => status === 429)).toBe(true), WAIT);
    await alice.close();
  });

  test.each([
    { title: "no token", protocols: ["chat.v1"], status: 401 },
    { title: "a token without an end", protocols: ["chat.v1", `bearer.${tokenOf("alice", { exp: undefined })}`], status: 401 },
    { title: "a token that has ended", protocols: ["chat.v1", `bearer.${tokenOf("alice", { exp: 1 })}`], status: 401 },
    { title: "two tokens", protocols: ["chat.v1", `bearer.${tokenOf("alice")}`, `bearer.${tokenOf("bob")}`], status: 401 },
    { title: "a token hidden in another protocol's name", protocols: ["chat.v1", `xbearer.${tokenOf("alice")}`], status: 401 },
    { title: "another path", protocols: ["chat.v1", `bearer.${tokenOf("alice")}`], status: 404, path: "/elsewhere" },
  ])("refuses $title", async ({ protocols, status, path }) => {
    const url = path === undefined ? a.url : new URL(path, a.url).href;
    await expect(Client.connect(url, "alice", { protocols })).rejects.toThrow(`Unexpected server response: ${status}`);
  });

  test("takes the token of a program in its header, and never names it as the protocol", async () => {
    const [program, page] = [
      await Client.connect(a.url, "alice", { protocols: [], headers: bearer("alice") }),
      await Client.connect(a.url, "alice"),
    ];
    expect([program.socket.protocol, page.socket.protocol]).toEqual(["", "chat.v1"]);
    await Promise.all([program.close(), page.close()]);
  });

  test("a connection ends with its token", async () => {
    const exp = Math.ceil(Date.now() / 1_000) + 1;
    const alice = await Client.connect(a.url, "alice", { protocols: ["chat.v1", `bearer.${tokenOf("alice", { exp })}`] });
    expect(await alice.closed).toMatchObject({ code: 4401 });
  });

  test("nobody has more connections than are allowed, and one that ends makes room", async () => {
    const c = await startReplica(database, broker, { limits: { maxConnectionsPerCaller: 2 } });
    const [first] = [await Client.connect(c.url, "alice"), await Client.connect(c.url, "alice")];
    await expect(Client.connect(c.url, "alice")).rejects.toThrow("Unexpected server response: 429");
    await Client.connect(c.url, "carol");
    await first.close();
    await vi.waitFor(() => Client.connect(c.url, "alice"), WAIT);
    await c.server.close();
  });

  test("frames that are too large, or not text, end the connection", async () => {
    const [large, binary] = [await Client.connect(a.url, "alice"), await Client.connect(a.url, "alice")];
    large.socket.send("x".repeat(20_000));
    binary.socket.send(Buffer.from("{}"));
    expect(await large.closed).toMatchObject({ code: 1009 });
    expect(await binary.closed).toMatchObject({ code: 1008 });
  });

  test("without an upgrade the path says what it is", async () => {
    expect((await a.server.inject({ url: "/api/v1/chat/socket", headers: bearer("alice") })).statusCode).toBe(426);
  });

  test("no token reaches the log", () => {
    expect(lines.join("")).toContain("connected");
    expect(lines.join("")).not.toContain("e30.");
  });
});

describe("events of other services", () => {
  const publish = async (service: "user-service" | "video-service", event: ReturnType<typeof userSignedUp.of>) => {
    const config = { EVENTS_BROKER: "nats" as const, EVENTS_URL: broker.serviceUrl(service), EVENTS_CA: broker.ca };
    const client = await openBroker(config, { name: service, log: { info: () => {}, warn: () => {}, error: () => {} } });
    // The outbox of any database will do: here it is chat's.
    const other = openPool({
      url: database.serviceUrl(service === "user-service" ? "users" : "videos"),
      ca: database.ca,
      poolSize: 3,
      applicationName: "t",
      onIdleError: () => {},
    });
    const relay = startRelay({ pool: other, broker: client, log: { info: () => {}, warn: () => {}, error: () => {} } });
    await inTransaction(other, (transaction) => createOutbox({ source: service }).add(transaction, event));
    await vi.waitFor(async () => expect((await other.query("SELECT FROM outbox")).rowCount).toBe(0), WAIT);
    await relay.stop();
    await client.close();
    await other.end();
  };

  test("who signs up is in the lobby, known by name, and everybody there is told", async () => {
    await ask("alice", "POST", `/rooms/${LOBBY}/join`);
    const alice = await follow(a, "alice", LOBBY);
    const [subject, displayName] = [`dan-${randomUUID()}`, "Dan"];
    await publish("user-service", userSignedUp.of({ userId: randomUUID(), subject, displayName }));
    await vi.waitFor(() => expect(alice.texts()).toEqual(["Dan has joined the platform."]), WAIT);
    expect(alice.of("message")[0]?.message).toMatchObject({ kind: "system", author: null });
    expect(await ask(subject, "GET", `/rooms/${LOBBY}`)).toMatchObject({ body: { joined: true, unread: 1 } });
    expect(await say(subject, LOBBY, "hello")).toMatchObject({ body: { author: subject, authorName: "Dan" } });
    await alice.close();
  });

  test("a video that is published is told in the lobby", async () => {
    await ask("alice", "POST", `/rooms/${LOBBY}/join`);
    const alice = await follow(b, "alice", LOBBY);
    const video = { videoId: randomUUID(), owner: "carol", title: "Lattice", publishedAt: new Date().toISOString() };
    await publish("video-service", videoPublished.of(video));
    await vi.waitFor(() => expect(alice.texts()).toEqual(["New video: Lattice"]), WAIT);
    await alice.close();
  });
});

describe("life and death", () => {
  test("a replica that stops says 1001; the client comes back to another and misses nothing", async () => {
    const id = await room("alice", "carol");
    const c = await startReplica(database, broker);
    const carol = await follow(c, "carol", id);
    await say("alice", id, "1");
    await vi.waitFor(() => expect(carol.texts()).toEqual(["1"]), WAIT);
    const stopped = c.server.close();
    expect(await carol.closed).toMatchObject({ code: 1001 });
    await say("alice", id, "2");
    const again = await follow(b, "carol", id, 1);
    await vi.waitFor(() => expect(again.texts()).toEqual(["2"]), WAIT);
    await stopped;
    expect((await pool.query("SELECT FROM presence WHERE room_id = $1", [id])).rowCount).toBe(1);
    await again.close();
  });

  test("a client that answers nothing is noticed, and is no longer there", async () => {
    const id = await room("alice");
    const c = await startReplica(database, broker, { limits: { pingMs: 100 } });
    const alice = await follow(c, "alice", id);
    // It reads nothing any more, so that it answers no ping either.
    alice.socket.pause();
    await vi.waitFor(async () => expect((await ask("alice", "GET", `/rooms/${id}/presence`)).body).toEqual({ online: [] }), WAIT);
    alice.socket.terminate();
    await c.server.close();
  });

  test("replicas that died are forgotten by the others", async () => {
    const id = await room("alice");
    const dead = randomUUID();
    await pool.query("INSERT INTO replicas (id, seen_at) VALUES ($1, now() - interval '1 minute')", [dead]);
    await pool.query("INSERT INTO presence (connection, room_id, subject, replica) VALUES ($1, $2, 'ghost', $3)", [randomUUID(), id, dead]);
    expect((await ask("alice", "GET", `/rooms/${id}/presence`)).body).toEqual({ online: [] });
    const alice = await follow(a, "alice", id);
    await vi.waitFor(async () => expect((await pool.query("SELECT FROM replicas WHERE id = $1", [dead])).rowCount).toBe(0), {
      ...WAIT,
      timeout: 25_000,
    });
    await alice.close();
  });
});
