import { inTransaction, type Pool, type PoolClient } from "@platform/service-kit";

/** The room that everybody who signs up is in; what happens on the platform is told there. The first migration makes it. */
export const LOBBY = "00000000-0000-4000-8000-000000000001";

/** A room as one person sees it. */
export interface Room {
  readonly id: string;
  readonly name: string;
  readonly createdBy: string | null;
  readonly createdAt: string;
  readonly joined: boolean;
  /** Messages after the last one read; 0 for who has not joined. */
  readonly unread: number;
  /** The number of the newest message; 0 in an empty room. */
  readonly lastSeq: number;
}

export interface UnreadRoom {
  readonly id: string;
  readonly name: string;
  readonly unread: number;
}

/** Rooms and who is in them, in PostgreSQL. */
export interface Rooms {
  /** Whoever makes a room is in it. */
  create(room: { name: string; by: string }): Promise<Room>;
  find(id: string, viewer: string): Promise<Room | undefined>;
  /** Newest first. */
  list(page: { viewer: string; limit: number; after: { createdAt: string; id: string } | undefined }): Promise<readonly Room[]>;
  /** Undefined where there is no such room. Twice is once. What was said before is not unread. */
  join(id: string, subject: string): Promise<Room | undefined>;
  leave(id: string, subject: string): Promise<void>;
  isMember(id: string, subject: string): Promise<boolean>;
  /** Notes how far somebody has read; never back, and not past the newest. */
  read(id: string, subject: string, seq: number): Promise<void>;
  /** The rooms with something unread, most first, and the number in all rooms. */
  unread(subject: string): Promise<{ total: number; rooms: readonly UnreadRoom[] }>;
  /** The newest message's number of each room. */
  lastSeqs(ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly created_by: string | null;
  readonly created_at: Date;
  readonly last_seq: string;
  readonly read_seq: string | null;
}

/** `$1` is who looks. */
const SEEN = `SELECT r.id, r.name, r.created_by, r.created_at, r.last_seq, m.read_seq
  FROM rooms r LEFT JOIN members m ON m.room_id = r.id AND m.subject = $1`;

export function createRooms(pool: Pool): Rooms {
  const find = async (id: string, viewer: string) => {
    const { rows } = await pool.query<Row>(`${SEEN} WHERE r.id = $2`, [viewer, id]);
    return rows[0] === undefined ? undefined : toRoom(rows[0]);
  };
  return {
    find,
    async create({ name, by }) {
      const id = await inTransaction(pool, async (transaction) => {
        const { rows } = await transaction.query<{ id: string }>("INSERT INTO rooms (name, created_by) VALUES ($1, $2) RETURNING id", [
          name,
          by,
        ]);
        await addMember(transaction, rows[0]?.id ?? "", by);
        return rows[0]?.id ?? "";
      });
      const room = await find(id, by);
      if (room === undefined) throw new Error("the database returned no row for the new room");
      return room;
    },
    async list({ viewer, limit, after }) {
      const { rows } = await pool.query<Row>(
        `${SEEN} WHERE $2::timestamptz IS NULL OR (r.created_at, r.id) < ($2, $3::uuid) ORDER BY r.created_at DESC, r.id DESC LIMIT $4`,
        [viewer, after?.createdAt ?? null, after?.id ?? null, limit],
      );
      return rows.map(toRoom);
    },
    async join(id, subject) {
      await addMember(pool, id, subject);
      return await find(id, subject);
    },
    async leave(id, subject) {
      await pool.query("DELETE FROM members WHERE room_id = $1 AND subject = $2", [id, subject]);
    },
    async isMember(id, subject) {
      const { rowCount } = await pool.query("SELECT FROM members WHERE room_id = $1 AND subject = $2", [id, subject]);
      return rowCount === 1;
    },
    async read(id, subject, seq) {
      await pool.query(
        `UPDATE members m SET read_seq = greatest(m.read_seq, least($3, r.last_seq)) FROM rooms r
         WHERE r.id = $1 AND m.room_id = r.id AND m.subject = $2`,
        [id, subject, seq],
      );
    },
    async unread(subject) {
      const { rows } = await pool.query<{ id: string; name: string; unread: string }>(
        `SELECT r.id, r.name, r.last_seq - m.read_seq AS unread FROM members m JOIN rooms r ON r.id = m.room_id
         WHERE m.subject = $1 AND r.last_seq > m.read_seq ORDER BY unread DESC, r.id`,
        [subject],
      );
      const rooms = rows.map(({ id, name, unread }) => ({ id, name, unread: Number(unread) }));
      return { total: rooms.reduce((sum, room) => sum + room.unread, 0), rooms: rooms.slice(0, 100) };
    },
    lastSeqs: (ids) => lastSeqs(pool, ids),
  };
}

async function lastSeqs(pool: Pool, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await pool.query<{ id: string; last_seq: string }>("SELECT id, last_seq FROM rooms WHERE id = ANY($1::uuid[])", [ids]);
  return new Map(rows.map(({ id, last_seq }) => [id, Number(last_seq)]));
}

/** Adds somebody to a room that is there. */
export async function addMember(database: Pick<PoolClient, "query"> | Pool, roomId: string, subject: string): Promise<void> {
  await database.query(
    `INSERT INTO members (room_id, subject, read_seq) SELECT id, $2, last_seq FROM rooms WHERE id = $1 ON CONFLICT DO NOTHING`,
    [roomId, subject],
  );
}

function toRoom(row: Row): Room {
  const lastSeq = Number(row.last_seq);
  return {
    id: row.id,
    name: row.name,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    joined: row.read_seq !== null,
    unread: row.read_seq === null ? 0 : lastSeq - Number(row.read_seq),
    lastSeq,
  };
}
