import { inRequestScope, inTransaction, type Pool, type PoolClient } from "@platform/service-kit";
import type { Broker, Log, Message } from "./broker.ts";
import { type Envelope, type EventKind, readEnvelope } from "./event.ts";
import { isTransient } from "./transient.ts";

/** What one handler is given beside the event's data. */
export interface Delivery {
  /** The transaction in which the event counts as handled: what is done in it is done once. */
  readonly transaction: PoolClient;
  readonly event: Envelope;
}

export interface Handler {
  readonly type: string;
  readonly handle: (event: Envelope, transaction: PoolClient) => Promise<void>;
}

/** Says what is done about one kind of event. */
export function on<Data>(kind: EventKind<Data>, handle: (data: Data, delivery: Delivery) => Promise<void>): Handler {
  return { type: kind.type, handle: (event, transaction) => handle(kind.read(event.data), { event, transaction }) };
}

export interface ConsumerOptions {
  readonly pool: Pool;
  readonly broker: Pick<Broker, "subscribe">;
  /** The service's name: its replicas share the events. */
  readonly group: string;
  readonly handlers: readonly Handler[];
  readonly log: Log;
  /** An event whose handler has failed so often is set aside in `failed_events`, so that it does not stop the others. */
  readonly giveUpAfter?: number;
}

export interface Consumer {
  readonly ready: Promise<void>;
  stop(): Promise<void>;
}

/** Longer than any broker keeps an event: older ids can't come again. */
const INBOX_DAYS = 14;
const SWEEP_MS = 3_600_000;

/** Handles events exactly once, as seen in the data: effect and "handled" are one transaction, and what comes again is passed over. */
export function startConsumer(options: ConsumerOptions): Consumer {
  const { broker, group, handlers, log } = options;
  const byType = new Map(handlers.map((handler) => [handler.type, handler]));
  const subscription = broker.subscribe({
    group,
    types: [...byType.keys()],
    handle: (message) => handleOnce(options, byType.get(message.type), message),
  });
  const sweeping = setInterval(() => {
    sweep(options).catch((error: unknown) => log.warn({ err: error }, "old ids could not be removed from the inbox"));
  }, SWEEP_MS).unref();
  return {
    ready: subscription.ready,
    async stop() {
      clearInterval(sweeping);
      await subscription.stop();
    },
  };
}

async function handleOnce(options: ConsumerOptions, handler: Handler | undefined, message: Message): Promise<void> {
  if (handler === undefined) return;
  try {
    await inTransaction(options.pool, async (transaction) => {
      if (!(await markHandled(transaction, options.group, message.id))) return;
      const event = readEnvelope(message.body);
      // What the handler sends belongs to the trace of what it was told.
      const headers = event.traceparent === undefined ? {} : { traceparent: event.traceparent };
      await inRequestScope(headers, () => handler.handle(event, transaction));
    });
  } catch (error) {
    if (isTransient(error)) throw error;
    await recordFailure(options, message, error);
  }
}

/** False where it has been handled before. Waits for another member that is handling it at this moment. */
async function markHandled(transaction: PoolClient, group: string, eventId: string): Promise<boolean> {
  const { rowCount } = await transaction.query(
    `WITH taken AS (INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1),
       mended AS (DELETE FROM failed_events WHERE consumer = $1 AND event_id = $2 AND EXISTS (SELECT FROM taken))
     SELECT FROM taken`,
    [group, eventId],
  );
  return rowCount === 1;
}

/** @throws the error while the event shall come again. */
async function recordFailure(options: ConsumerOptions, message: Message, error: unknown): Promise<void> {
  const { pool, group, log, giveUpAfter = 10 } = options;
  const text = error instanceof Error ? error.message : String(error);
  const attempts = await inTransaction(pool, async (transaction) => {
    const { rows } = await transaction.query<{ attempts: number }>(
      `INSERT INTO failed_events (consumer, event_id, type, body, attempts, error) VALUES ($1, $2, $3, $4, 1, $5)
       ON CONFLICT (consumer, event_id) DO UPDATE SET attempts = failed_events.attempts + 1, error = $5, failed_at = now()
       RETURNING attempts`,
      [group, message.id, message.type, message.body, text.slice(0, 1_000)],
    );
    const count = rows[0]?.attempts ?? 1;
    if (count >= giveUpAfter) {
      await transaction.query("INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", [group, message.id]);
    }
    return count;
  });
  const fields = { err: error, eventId: message.id, eventType: message.type, attempts };
  if (attempts >= giveUpAfter) return log.error(fields, "an event was set aside in failed_events");
  log.warn(fields, "an event could not be handled; it will come again");
  throw error;
}

async function sweep({ pool, group }: ConsumerOptions): Promise<void> {
  await pool.query("DELETE FROM inbox WHERE consumer = $1 AND handled_at < now() - make_interval(days => $2)", [group, INBOX_DAYS]);
}
