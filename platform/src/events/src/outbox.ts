import type { PoolClient } from "@platform/service-kit";
import { MAX_EVENT_BYTES, type NewEvent, toEnvelope } from "./event.ts";

/** Where events are put down in the transaction that makes them true. A relay brings them to the broker. */
export interface Outbox {
  /**
   * Adds events within `transaction`: they are sent when it commits, and never when it does not.
   * Events of one key keep the order of their transactions where each locks the key's row first (`UPDATE … RETURNING`).
   *
   * @throws where an event is larger than `MAX_EVENT_BYTES`.
   */
  add(transaction: Pick<PoolClient, "query">, ...events: readonly NewEvent[]): Promise<void>;
}

/** The channel on which PostgreSQL tells relays that something is there. */
export const OUTBOX_CHANNEL = "outbox";

/** `source` is the service's name; `traceparent` tells the trace that the work belongs to. */
export function createOutbox(options: { readonly source: string; readonly traceparent?: () => string | undefined }): Outbox {
  return {
    async add(transaction, ...events) {
      for (const event of events) {
        const envelope = toEnvelope(event, options.source, options.traceparent?.());
        const body = JSON.stringify(envelope);
        if (Buffer.byteLength(body) > MAX_EVENT_BYTES) throw new Error(`a ${event.type} of ${Buffer.byteLength(body)} bytes is too large`);
        // One word to PostgreSQL and back: the notification goes out with the commit.
        await transaction.query(
          `WITH added AS (INSERT INTO outbox (id, type, key, body) VALUES ($1, $2, $3, $4) RETURNING 1)
           SELECT pg_notify('${OUTBOX_CHANNEL}', '') FROM added`,
          [envelope.id, envelope.type, envelope.subject, body],
        );
      }
    },
  };
}
