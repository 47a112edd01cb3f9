import { type Outbox, presenceChanged } from "@platform/events";
import { inTransaction, type Pool, type PoolClient } from "@platform/service-kit";

/** Somebody who is in a room at this moment. */
export interface Person {
  readonly subject: string;
  readonly displayName: string;
}

/** Who is connected where, over all replicas, in PostgreSQL. */
export interface Presence {
  enter(place: { connection: string; roomId: string; subject: string }): Promise<void>;
  leave(connection: string, roomId?: string): Promise<void>;
  /** By name; at most 200. */
  online(roomId: string): Promise<readonly Person[]>;
  /** Says that this replica lives, and removes those that have said nothing for long. */
  beat(): Promise<void>;
  /** Removes this replica and its connections. */
  end(): Promise<void>;
}

/** Three beats missed. */
const GONE_SECONDS = 30;
const MOST = 200;

export function createPresence(pool: Pool, outbox: Outbox, replica: string): Presence {
  const tell = (transaction: PoolClient, roomIds: readonly string[]) =>
    outbox.add(transaction, ...[...new Set(roomIds)].map((roomId) => presenceChanged.of({ roomId })));
  const beat = "INSERT INTO replicas (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET seen_at = now()";
  const removeReplicas = async (where: string, values: readonly unknown[]) =>
    await inTransaction(pool, async (transaction) => {
      const { rows } = await transaction.query<{ id: string }>(`SELECT id FROM replicas WHERE ${where} FOR UPDATE SKIP LOCKED`, [
        ...values,
      ]);
      if (rows.length === 0) return;
      const ids = rows.map(({ id }) => id);
      const left = await transaction.query<{ room_id: string }>("SELECT DISTINCT room_id FROM presence WHERE replica = ANY($1::uuid[])", [
        ids,
      ]);
      await transaction.query("DELETE FROM replicas WHERE id = ANY($1::uuid[])", [ids]);
      await tell(
        transaction,
        left.rows.map(({ room_id }) => room_id),
      );
    });
  return {
    async enter({ connection, roomId, subject }) {
      await inTransaction(pool, async (transaction) => {
        await transaction.query(beat, [replica]);
        const { rowCount } = await transaction.query(
          "INSERT INTO presence (connection, room_id, subject, replica) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
          [connection, roomId, subject, replica],
        );
        if (rowCount === 1) await tell(transaction, [roomId]);
      });
    },
    async leave(connection, roomId) {
      await inTransaction(pool, async (transaction) => {
        const { rows } = await transaction.query<{ room_id: string }>(
          "DELETE FROM presence WHERE connection = $1 AND ($2::uuid IS NULL OR room_id = $2) RETURNING room_id",
          [connection, roomId ?? null],
        );
        await tell(
          transaction,
          rows.map(({ room_id }) => room_id),
        );
      });
    },
    async online(roomId) {
      const { rows } = await pool.query<{ subject: string; display_name: string }>(
        `SELECT DISTINCT p.subject, coalesce(n.display_name, p.subject) AS display_name
         FROM presence p JOIN replicas r ON r.id = p.replica LEFT JOIN people n ON n.subject = p.subject
         WHERE p.room_id = $1 AND r.seen_at > now() - make_interval(secs => $2) ORDER BY display_name, p.subject LIMIT $3`,
        [roomId, GONE_SECONDS, MOST],
      );
      return rows.map(({ subject, display_name }) => ({ subject, displayName: display_name }));
    },
    async beat() {
      await pool.query(beat, [replica]);
      await removeReplicas("seen_at < now() - make_interval(secs => $1)", [GONE_SECONDS]);
    },
    end: () => removeReplicas("id = $1", [replica]),
  };
}
