import { messagePosted, type Outbox } from "@platform/events";
import { inTransaction, type Pool, type PoolClient, Problem } from "@platform/service-kit";

export interface Message {
  readonly roomId: string;
  /** Counts the room's messages from 1, without a gap. */
  readonly seq: number;
  readonly id: string;
  readonly kind: "user" | "system";
  readonly author: string | null;
  readonly authorName: string | null;
  readonly text: string;
  readonly createdAt: string;
}

export interface NewMessage {
  readonly roomId: string;
  readonly author: string;
  /** Shown where chat has not heard of the author by an event. */
  readonly fallbackName: string;
  readonly text: string;
  /** Of the client's making: sent again, the message is found and not stored twice. */
  readonly clientId: string | undefined;
}

/** Messages in PostgreSQL. */
export interface Messages {
  /** @throws Problem 403 where the author is not in the room, 409 where the client's id stands for a message of another room. */
  post(message: NewMessage): Promise<{ message: Message; created: boolean }>;
  /** Newest first, before `beforeSeq`. */
  history(page: { roomId: string; beforeSeq: number | undefined; limit: number }): Promise<readonly Message[]>;
  /** Oldest first, after `seq`. */
  since(page: { roomId: string; seq: number; limit: number }): Promise<readonly Message[]>;
}

interface Row {
  readonly room_id: string;
  readonly seq: string;
  readonly id: string;
  readonly kind: Message["kind"];
  readonly author: string | null;
  readonly author_name: string | null;
  readonly text: string;
  readonly created_at: Date;
}

const COLUMNS = "room_id, seq, id, kind, author, author_name, text, created_at";

export function createMessages(pool: Pool, outbox: Outbox): Messages {
  const read = async (where: string, values: readonly unknown[]) => {
    const { rows } = await pool.query<Row>(`SELECT ${COLUMNS} FROM messages WHERE ${where}`, [...values]);
    return rows.map(toMessage);
  };
  return {
    post: (message) => inTransaction(pool, (transaction) => post(transaction, outbox, message)),
    history: ({ roomId, beforeSeq, limit }) =>
      read("room_id = $1 AND ($2::bigint IS NULL OR seq < $2) ORDER BY seq DESC LIMIT $3", [roomId, beforeSeq ?? null, limit]),
    since: ({ roomId, seq, limit }) => read("room_id = $1 AND seq > $2 ORDER BY seq LIMIT $3", [roomId, seq, limit]),
  };
}

async function post(transaction: PoolClient, outbox: Outbox, given: NewMessage): Promise<{ message: Message; created: boolean }> {
  // The room's row is held until the end: numbers and events follow each other, and a message that is sent twice at once meets itself here.
  const { rowCount } = await transaction.query(
    "SELECT FROM rooms r JOIN members m ON m.room_id = r.id AND m.subject = $2 WHERE r.id = $1 FOR UPDATE OF r",
    [given.roomId, given.author],
  );
  if (rowCount === 0) throw new Problem(403, "Forbidden", { detail: "join the room first" });
  const known = await findByClientId(transaction, given);
  if (known !== undefined) return { message: known, created: false };
  const { rows: people } = await transaction.query<{ display_name: string }>("SELECT display_name FROM people WHERE subject = $1", [
    given.author,
  ]);
  const authorName = people[0]?.display_name ?? given.fallbackName;
  const message = await append(transaction, outbox, { ...given, kind: "user", authorName });
  await transaction.query("UPDATE members SET read_seq = $3 WHERE room_id = $1 AND subject = $2", [
    given.roomId,
    given.author,
    message.seq,
  ]);
  return { message, created: true };
}

async function findByClientId(transaction: PoolClient, { roomId, author, clientId }: NewMessage): Promise<Message | undefined> {
  if (clientId === undefined) return undefined;
  const { rows } = await transaction.query<Row>(`SELECT ${COLUMNS} FROM messages WHERE author = $1 AND client_id = $2`, [author, clientId]);
  const [row] = rows;
  if (row === undefined) return undefined;
  if (row.room_id !== roomId) throw new Problem(409, "Conflict", { detail: "this client id is of a message in another room" });
  return toMessage(row);
}

/** Says something in the platform's own name, as part of another transaction. */
export async function postSystem(transaction: PoolClient, outbox: Outbox, roomId: string, text: string): Promise<void> {
  await append(transaction, outbox, { roomId, kind: "system", author: null, authorName: null, text, clientId: undefined });
}

async function append(
  transaction: PoolClient,
  outbox: Outbox,
  given: Pick<Message, "roomId" | "kind" | "author" | "authorName" | "text"> & { readonly clientId: string | undefined },
): Promise<Message> {
  const { rows } = await transaction.query<Row>(
    `WITH next AS (UPDATE rooms SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq)
     INSERT INTO messages (room_id, seq, kind, author, author_name, text, client_id)
     SELECT $1, last_seq, $2, $3, $4, $5, $6 FROM next RETURNING ${COLUMNS}`,
    [given.roomId, given.kind, given.author, given.authorName, given.text, given.clientId ?? null],
  );
  if (rows[0] === undefined) throw new Error(`there is no room ${given.roomId}`);
  const message = toMessage(rows[0]);
  await outbox.add(transaction, messagePosted.of(message));
  return message;
}

function toMessage(row: Row): Message {
  return {
    roomId: row.room_id,
    seq: Number(row.seq),
    id: row.id,
    kind: row.kind,
    author: row.author,
    authorName: row.author_name,
    text: row.text,
    createdAt: row.created_at.toISOString(),
  };
}
