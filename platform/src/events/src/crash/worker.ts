// One process of the crash test, killed at any moment: `worker.ts producer|relay|consumer`, with its settings as JSON in WORKER.
import { inTransaction, openPool } from "@platform/service-kit";
import * as z from "zod";
import { startConsumer, on } from "../consumer.ts";
import { defineEvent } from "../event.ts";
import { NatsBroker } from "../nats/index.ts";
import { createOutbox } from "../outbox.ts";
import { startRelay } from "../relay.ts";
import { noLog } from "../testing/rig.ts";
import { GROUP, TYPE } from "./names.ts";

const settings = z
  .object({ databaseUrl: z.string(), ca: z.string(), natsUrl: z.string(), count: z.number() })
  .parse(JSON.parse(process.env["WORKER"] ?? "{}"));
const numbered = defineEvent(TYPE, { n: z.number() }, ({ n }) => `key-${n % 20}`);
const outbox = createOutbox({ source: "crash-test" });
const pool = openPool({
  url: settings.databaseUrl,
  ca: settings.ca,
  poolSize: 8,
  applicationName: "crash",
  onIdleError: () => undefined,
});
const openBroker = () => new NatsBroker({ url: settings.natsUrl, name: GROUP, log: noLog });

const roles: Readonly<Record<string, () => Promise<void>>> = {
  /** Does each piece of work once, with its event, and says so when it has committed. */
  async producer() {
    const { rows } = await patiently(() => pool.query<{ n: number }>("SELECT n FROM work"));
    const done = new Set(rows.map(({ n }) => n));
    const left = Array.from({ length: settings.count }, (_, n) => n).filter((n) => !done.has(n));
    for (const n of done) process.stdout.write(`${n}\n`);
    const produce = async () => {
      for (let n = left.shift(); n !== undefined; n = left.shift()) {
        const one = n;
        await patiently(() => inTransaction(pool, (transaction) => work(transaction, one)));
        process.stdout.write(`${n}\n`);
      }
    };
    await Promise.all(Array.from({ length: 4 }, produce));
    await pool.end();
    process.stdout.write("end\n");
  },
  async relay() {
    startRelay({ pool, broker: openBroker(), log: noLog, batchSize: 50, pollMs: 200 });
  },
  /** Its effect is no idempotent one: twice would be seen. */
  async consumer() {
    const handler = on(numbered, async ({ n }, { transaction }) => {
      await transaction.query("INSERT INTO effects (n) VALUES ($1)", [n]);
      await transaction.query("UPDATE tally SET events = events + 1, total = total + $1", [n]);
    });
    startConsumer({ pool, broker: openBroker(), group: GROUP, handlers: [handler], log: noLog });
  },
};

async function work(transaction: Parameters<typeof outbox.add>[0], n: number): Promise<void> {
  const { rowCount } = await transaction.query("INSERT INTO work (n) VALUES ($1) ON CONFLICT DO NOTHING", [n]);
  // There already: the commit's answer was lost, not the commit.
  if (rowCount === 1) await outbox.add(transaction, numbered.of({ n }));
}

async function patiently<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

await roles[process.argv[2] ?? ""]?.();
