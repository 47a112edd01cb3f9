import { inTransaction, type Pool, type PoolClient } from "@platform/service-kit";
import { type Broker, type Log, type Message } from "./broker.ts";
import { OUTBOX_CHANNEL } from "./outbox.ts";
import { Backoff, pause } from "./pause.ts";

export interface RelayOptions {
  readonly pool: Pool;
  readonly broker: Pick<Broker, "publish">;
  readonly log: Log;
  readonly batchSize?: number;
  /** How often it looks without having been told; the notification usually comes first. */
  readonly pollMs?: number;
}

export interface Relay {
  /** Ends after the batch that is under way. What is left stays in the outbox. */
  stop(): Promise<void>;
}

/** One relay at a time works on a database's outbox: the order would be lost otherwise. Any number with meaning to nobody else. */
const LOCK = 7_308_604_759;
/** Another replica's relay is at work: look again soon, it may just be ending. */
const BUSY_MS = 50;

/**
 * Brings the outbox to the broker, in order and at least once. Each replica of a service runs one; an advisory lock, which ends with its
 * transaction, lets one of them work at a time, so that a killed one is followed by the next.
 */
export function startRelay(options: RelayOptions): Relay {
  const stopping = new AbortController();
  const bell = new Bell();
  const listening = listen(options, bell, stopping.signal);
  const working = work(options, bell, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      bell.ring();
      await Promise.all([listening, working]);
    },
  };
}

async function work(
  { pool, broker, log, batchSize = 100, pollMs = 1_000 }: RelayOptions,
  bell: Bell,
  stopping: AbortSignal,
): Promise<void> {
  const backoff = new Backoff();
  while (!stopping.aborted) {
    try {
      const moved = await moveBatch(pool, broker, batchSize);
      backoff.reset();
      if (moved === "busy") await pause(BUSY_MS, stopping);
      else if (moved < batchSize) await bell.wait(pollMs);
    } catch (error) {
      log.warn({ err: error }, "the outbox could not be sent; it will be tried again");
      await pause(backoff.next(), stopping);
    }
  }
}

/** Sends the oldest rows and deletes them. Killed in between, it sends them again: the consumers know them by their ids. */
async function moveBatch(pool: Pool, broker: Pick<Broker, "publish">, size: number): Promise<number | "busy"> {
  return await inTransaction(pool, async (client) => {
    const { rows: locks } = await client.query<{ got: boolean }>("SELECT pg_try_advisory_xact_lock($1) AS got", [LOCK]);
    if (locks[0]?.got !== true) return "busy";
    const { rows } = await client.query<Message & { position: string }>(
      "SELECT position, id, type, key, body FROM outbox ORDER BY position LIMIT $1",
      [size],
    );
    const started = Date.now();
    const sent: string[] = [];
    for (const wave of toWaves(rows)) {
      // A transaction that waits too long is ended by PostgreSQL; the rest is the next batch.
      if (sent.length > 0 && Date.now() - started > 2_000) break;
      await broker.publish(wave);
      sent.push(...wave.map(({ position }) => position));
    }
    if (sent.length > 0) await client.query("DELETE FROM outbox WHERE position = ANY($1::bigint[])", [sent]);
    return sent.length === rows.length ? rows.length : size;
  });
}

/**
 * Splits rows so that no key is twice in one wave: a wave is published side by side, and should one of it fail, nothing of that key
 * overtakes it.
 */
export function toWaves<Row extends { readonly key: string }>(rows: readonly Row[]): readonly (readonly Row[])[] {
  const waves: Row[][] = [];
  const countOf = new Map<string, number>();
  for (const row of rows) {
    const turn = countOf.get(row.key) ?? 0;
    countOf.set(row.key, turn + 1);
    (waves[turn] ??= []).push(row);
  }
  return waves;
}

/** Listens for notifications on a connection of its own; while that is broken, the relay polls. */
async function listen({ pool, log }: RelayOptions, bell: Bell, stopping: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  while (!stopping.aborted) {
    let client: PoolClient | undefined;
    try {
      client = await pool.connect();
      const ended = Promise.withResolvers<void>();
      client.on("error", ended.reject);
      client.on("notification", () => bell.ring());
      stopping.addEventListener("abort", () => ended.resolve(), { once: true });
      await client.query(`LISTEN ${OUTBOX_CHANNEL}`);
      backoff.reset();
      bell.ring();
      if (!stopping.aborted) await ended.promise;
    } catch (error) {
      log.warn({ err: error }, "notifications of the outbox are away; polling meanwhile");
      await pause(backoff.next(), stopping);
    } finally {
      client?.release(true);
    }
  }
}

/** Wakes one sleeper; rung while nobody sleeps, it wakes the next at once. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}
