import { inTransaction, type Pool } from "@platform/service-kit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import type { Broker, Message, SubscribeOptions } from "./broker.ts";
import { type ConsumerOptions, on, startConsumer } from "./consumer.ts";
import { defineEvent, readEnvelope } from "./event.ts";
import { createOutbox } from "./outbox.ts";
import { type Relay, startRelay, toWaves } from "./relay.ts";
import { startDatabase } from "./testing/database.ts";
import { noLog } from "./testing/rig.ts";

const counted = defineEvent("test.counted.v1", { n: z.number(), key: z.string() }, ({ key }) => key);
const outbox = createOutbox({ source: "test" });

let database: Awaited<ReturnType<typeof startDatabase>>;
let pool: Pool;
beforeAll(async () => {
  database = await startDatabase("CREATE TABLE effects (n int)");
  pool = database.open();
});
afterAll(async () => {
  await pool?.end();
  await database?.standIn.stop();
});
beforeEach(async () => {
  await pool.query("DELETE FROM outbox; DELETE FROM inbox; DELETE FROM failed_events; DELETE FROM effects");
});

/** Takes what is published and hands it over when told: the tests decide about order and failures. */
class FakeBroker implements Pick<Broker, "publish" | "subscribe"> {
  readonly published: Message[] = [];
  refuse = false;
  #handle: SubscribeOptions["handle"] = async () => undefined;

  async publish(messages: readonly Message[]): Promise<void> {
    if (this.refuse) throw new Error("the broker is away");
    this.published.push(...messages);
  }

  subscribe(options: SubscribeOptions) {
    this.#handle = options.handle;
    return { ready: Promise.resolve(), stop: async () => undefined };
  }

  deliver(message: Message): Promise<void> {
    return this.#handle(message);
  }
}

const add = (n: number, key = "k") => inTransaction(pool, (transaction) => outbox.add(transaction, counted.of({ n, key })));
const bodies = (messages: readonly Message[]) => messages.map((one) => counted.read(readEnvelope(one.body).data).n);
const count = async (table: string) => Number((await pool.query(`SELECT count(*) FROM ${table}`)).rows[0].count);

describe("the outbox", () => {
  test("keeps an event of a transaction that commits, and none of one that does not", async () => {
    await add(1);
    const broken = inTransaction(pool, async (transaction) => {
      await outbox.add(transaction, counted.of({ n: 2, key: "k" }));
      throw new Error("no");
    });
    await expect(broken).rejects.toThrow("no");
    const { rows } = await pool.query("SELECT type, key, body FROM outbox");
    expect(rows).toHaveLength(1);
    expect(readEnvelope(rows[0].body)).toMatchObject({ specversion: "1.0", source: "/test", subject: "k", data: { n: 1, key: "k" } });
  });

  test("refuses what has not its kind's shape, and what no broker would take", async () => {
    expect(() => counted.of({ n: "1", key: "k" } as never)).toThrow("expected number");
    await expect(add(1, "x".repeat(70_000))).rejects.toThrow("too large");
    expect(await count("outbox")).toBe(0);
  });
});

test("a connection that breaks in the middle of a transaction is an error of that transaction, and of nothing else", async () => {
  const broken = inTransaction(pool, async (transaction) => {
    const { rows } = await transaction.query("SELECT pg_backend_pid() AS pid");
    const gone = new Promise((resolve) => transaction.once("end", resolve));
    await pool.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
    await gone;
    await outbox.add(transaction, counted.of({ n: 1, key: "k" }));
  });
  await expect(broken).rejects.toThrow(/not queryable|terminat/);
  expect(await count("outbox")).toBe(0);
});

describe("the relay", () => {
  const running: Relay[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((relay) => relay.stop()));
  });
  /** Polls so seldom that only notifications can explain what arrives. */
  const start = (broker: FakeBroker, over = {}) => void running.push(startRelay({ pool, broker, log: noLog, pollMs: 60_000, ...over }));

  test("sends what is there and what comes, in order, and empties the table", async () => {
    const broker = new FakeBroker();
    for (const n of [1, 2, 3]) await add(n);
    start(broker, { batchSize: 2 });
    await vi.waitFor(() => expect(bodies(broker.published)).toEqual([1, 2, 3]));
    await add(4);
    await vi.waitFor(() => expect(bodies(broker.published)).toEqual([1, 2, 3, 4]));
    await vi.waitFor(async () => expect(await count("outbox")).toBe(0));
  });

  test("keeps everything while the broker is away, and sends it then", async () => {
    const broker = new FakeBroker();
    broker.refuse = true;
    start(broker);
    for (const n of [1, 2]) await add(n);
    expect(await count("outbox")).toBe(2);
    broker.refuse = false;
    await vi.waitFor(() => expect(bodies(broker.published)).toEqual([1, 2]), { timeout: 5_000 });
  });

  test("three replicas send each event once, in order", async () => {
    const broker = new FakeBroker();
    for (let i = 0; i < 3; i++) start(broker, { batchSize: 7 });
    for (let n = 0; n < 60; n++) await add(n);
    await vi.waitFor(async () => expect(await count("outbox")).toBe(0), { timeout: 10_000 });
    expect(bodies(broker.published)).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  test("goes on after its database connections were cut", async () => {
    const broker = new FakeBroker();
    start(broker, { pollMs: 200 });
    await add(1);
    await vi.waitFor(() => expect(broker.published).toHaveLength(1));
    const { rows } = await pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()",
    );
    expect(rows.length).toBeGreaterThan(0);
    await vi.waitFor(() => add(2), { timeout: 10_000 });
    await vi.waitFor(() => expect(bodies(broker.published)).toEqual([1, 2]), { timeout: 10_000 });
  });

  test("what is published side by side has no key twice", () => {
    const rows = ["a", "b", "a", "c", "a"].map((key, n) => ({ key, n }));
    expect(toWaves(rows).map((wave) => wave.map(({ n }) => n))).toEqual([[0, 1, 3], [2], [4]]);
  });
});

describe("the consumer", () => {
  const message = (n: unknown, id = crypto.randomUUID()): Message => {
    const event = { ...counted.of({ n: 1, key: "k" }), data: { n, key: "k" } };
    const envelope = { specversion: "1.0", id, source: "/t", type: event.type, subject: "k", time: new Date().toISOString() };
    return { id, type: event.type, key: "k", body: JSON.stringify({ ...envelope, datacontenttype: "application/json", data: event.data }) };
  };
  const start = (handle: ConsumerOptions["handlers"][number]["handle"] | undefined, over = {}) => {
    const broker = new FakeBroker();
    const effect = on(counted, async ({ n }, { transaction, event }) => {
      await transaction.query("INSERT INTO effects (n) VALUES ($1)", [n]);
      await handle?.(event, transaction);
    });
    startConsumer({ pool, broker, group: "g", handlers: [effect], log: noLog, giveUpAfter: 3, ...over });
    return broker;
  };

  test("has each event's effect once, however often and from however many sides it comes", async () => {
    const [a, b] = [start(undefined), start(undefined)];
    const event = message(1);
    await Promise.all([a, b, a, b, a].map((broker) => broker.deliver(event)));
    await a.deliver(event);
    expect(await count("effects")).toBe(1);
  });

  test("groups are independent of each other", async () => {
    const event = message(1);
    await start(undefined).deliver(event);
    await start(undefined, { group: "h" }).deliver(event);
    expect(await count("effects")).toBe(2);
  });

  test("a handler that fails leaves nothing behind; handled at last, it is forgotten as failed", async () => {
    let failures = 2;
    const broker = start(async () => {
      if (failures-- > 0) throw new Error("not yet");
    });
    const event = message(1);
    await expect(broker.deliver(event)).rejects.toThrow("not yet");
    await expect(broker.deliver(event)).rejects.toThrow("not yet");
    expect([await count("effects"), await count("failed_events")]).toEqual([0, 1]);
    await broker.deliver(event);
    expect([await count("effects"), await count("failed_events")]).toEqual([1, 0]);
  });

  test.each([
    { title: "data of another shape", event: () => message("one") },
    { title: "no event at all", event: () => ({ ...message(1), body: "<html>" }) },
  ])("$title is set aside after some attempts, and kept", async ({ event }) => {
    const broker = start(undefined);
    const bad = event();
    for (let i = 0; i < 2; i++) await expect(broker.deliver(bad)).rejects.toThrow(/expected number|not valid JSON/);
    await broker.deliver(bad);
    await broker.deliver(bad);
    const { rows } = await pool.query("SELECT event_id, body, attempts FROM failed_events");
    expect(rows).toEqual([{ event_id: bad.id, body: bad.body, attempts: 3 }]);
    expect(await count("effects")).toBe(0);
  });

  test("a database that is away is no failure of the event", async () => {
    const away = Object.assign(new Error("terminating connection due to administrator command"), { code: "57P01" });
    const broker = start(async () => Promise.reject(away));
    const event = message(1);
    for (let i = 0; i < 5; i++) await expect(broker.deliver(event)).rejects.toBe(away);
    expect(await count("failed_events")).toBe(0);
  });
});
