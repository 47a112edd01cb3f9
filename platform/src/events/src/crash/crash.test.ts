import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { findNatsServer } from "@platform/broker/nats-server";
import { CrashWorld } from "./world.ts";

/** `EVENTS_CRASH_COUNT=10000` is the large run (`make crash-test`); the small one is part of every test run. */
const COUNT = Number(process.env["EVENTS_CRASH_COUNT"] ?? 500);
const SEED = Number(process.env["EVENTS_CRASH_SEED"] ?? Date.now() % 1_000_000);
const TIMEOUT_MS = 240_000 + COUNT * 60;

/** Repeatable, so that a run that failed can be looked at again (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe(`${COUNT} events while NATS, PostgreSQL, relays, consumers and the producer are killed (seed ${SEED})`, () => {
  const world = new CrashWorld(COUNT);
  let missing = "";
  const kills: Record<string, number> = {};

  beforeAll(async () => {
    try {
      await findNatsServer(process.env);
    } catch (error) {
      if (process.env["CI"]) throw error;
      missing = error instanceof Error ? error.message : String(error);
      return;
    }
    await world.start();
  });
  afterAll(() => world.stop());

  test(
    "each is handled exactly once, as seen in the data, and nothing acknowledged is lost",
    async ({ skip, annotate }) => {
      if (missing !== "") return skip(missing);
      const started = Date.now();
      const random = randomOf(SEED);
      const sleep = (most: number) => new Promise((resolve) => setTimeout(resolve, random() * most));
      const victims = world.victims();
      const killOne = async () => {
        const victim = victims[Math.floor(random() * victims.length)];
        if (victim === undefined || (victim.name === "producer" && world.isProduced)) return;
        await victim.kill();
        kills[victim.name] = (kills[victim.name] ?? 0) + 1;
        await sleep(200);
        await victim.restart();
      };
      while (!world.isProduced) {
        await sleep(600);
        await killOne();
      }
      // Once more each, while the last ones are under way.
      for (const victim of victims.filter(({ name }) => name !== "producer")) {
        await victim.kill();
        kills[victim.name] = (kills[victim.name] ?? 0) + 1;
        await victim.restart();
      }
      const pool = world.open();
      const handled = async () => Number((await pool.query("SELECT count(DISTINCT n) FROM effects")).rows[0].count);
      await vi.waitFor(async () => expect(await handled()).toBe(COUNT), { timeout: 180_000 + COUNT * 10, interval: 100 });
      const seconds = (Date.now() - started) / 1_000;

      expect(world.dead).toEqual([]);
      expect([...world.acknowledged].toSorted((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, n) => n));
      const { rows } = await pool.query("SELECT n, count(*)::int AS times FROM effects GROUP BY n HAVING count(*) <> 1");
      expect(rows).toEqual([]);
      const total = (COUNT * (COUNT - 1)) / 2;
      expect((await pool.query("SELECT events, total::int FROM tally")).rows).toEqual([{ events: COUNT, total }]);
      await vi.waitFor(async () => expect((await pool.query("SELECT FROM outbox")).rowCount).toBe(0), { timeout: 60_000 });
      expect((await pool.query("SELECT FROM failed_events")).rowCount).toBe(0);
      await pool.end();
      const sum = Object.values(kills).reduce((all, one) => all + one, 0);
      await annotate(`${COUNT} events in ${seconds.toFixed(1)} s, ${sum} kills: ${JSON.stringify(kills)}`);
    },
    TIMEOUT_MS,
  );
});
