import { type Database, inTransaction, type PoolClient } from "@platform/service-kit";

/** One profile. */
export interface User {
  readonly id: string;
  readonly subject: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly createdAt: string;
}

/** What everyone may see of a user, and what the order of names is by. */
export interface FoundUser {
  readonly id: string;
  readonly displayName: string;
  /** The name without case and width. */
  readonly searchName: string;
}

export interface UserSearch {
  /** A part of the name; everyone without it. */
  readonly part: string | undefined;
  readonly limit: number;
  readonly after: { readonly searchName: string; readonly id: string } | undefined;
}

/** The profiles in PostgreSQL. */
export interface Users {
  /** Makes the subject's profile, or finds the one that is there. */
  signUp(profile: { subject: string; displayName: string; email: string | null }): Promise<{ user: User; created: boolean }>;
  findBySubject(subject: string): Promise<User | undefined>;
  findById(id: string): Promise<User | undefined>;
  /** Undefined where the subject has not signed up. */
  update(subject: string, change: { displayName: string | undefined }): Promise<User | undefined>;
  /** In the order of names. From the read replica: a name that was changed just now may be the old one. */
  search(search: UserSearch): Promise<readonly FoundUser[]>;
}

/** Told of a profile that is made, in the transaction that makes it. */
export interface UserEvents {
  signedUp(user: User, transaction: PoolClient): Promise<void>;
}

interface Row {
  readonly id: string;
  readonly subject: string;
  readonly display_name: string;
  readonly email: string | null;
  readonly created_at: Date;
}

const COLUMNS = "id, subject, display_name, email, created_at";

export function createUsers({ writer, reader }: Database, events: UserEvents): Users {
  const one = async (text: string, values: readonly unknown[]) => toUser((await writer.query<Row>(text, [...values])).rows[0]);
  const findBySubject = (subject: string) => one(`SELECT ${COLUMNS} FROM users WHERE subject = $1`, [subject]);
  return {
    async signUp({ subject, displayName, email }) {
      // Looked for first: that is what a repeated sign-up needs, without a transaction.
      const there = await findBySubject(subject);
      if (there !== undefined) return { user: there, created: false };
      const made = await inTransaction(writer, async (transaction) => {
        const insert = `INSERT INTO users (subject, display_name, email) VALUES ($1, $2, $3) ON CONFLICT (subject) DO NOTHING RETURNING ${COLUMNS}`;
        const user = toUser((await transaction.query<Row>(insert, [subject, displayName, email])).rows[0]);
        if (user !== undefined) await events.signedUp(user, transaction);
        return user;
      });
      const user = made ?? (await findBySubject(subject));
      if (user === undefined) throw new Error("the profile vanished while it was signed up");
      return { user, created: made !== undefined };
    },
    findBySubject,
    findById: (id) => one(`SELECT ${COLUMNS} FROM users WHERE id = $1`, [id]),
    update: (subject, { displayName }) =>
      one(`UPDATE users SET display_name = coalesce($2, display_name), updated_at = now() WHERE subject = $1 RETURNING ${COLUMNS}`, [
        subject,
        displayName ?? null,
      ]),
    async search({ part, limit, after }) {
      // Escaped after it is folded: folding makes "%" of a full-width one.
      const { rows } = await reader.query<{ id: string; display_name: string; search_name: string }>(
        `SELECT id, display_name, search_name FROM users
         WHERE ($1::text IS NULL OR search_name LIKE '%' || regexp_replace(folded($1), '([\\\\%_])', '\\\\\\1', 'g') || '%')
           AND ($2::text IS NULL OR (search_name, id) > ($2, $3::uuid))
         ORDER BY search_name, id LIMIT $4`,
        [part ?? null, after?.searchName ?? null, after?.id ?? null, limit],
      );
      return rows.map((row) => ({ id: row.id, displayName: row.display_name, searchName: row.search_name }));
    },
  };
}

function toUser(row: Row | undefined): User | undefined {
  if (row === undefined) return undefined;
  return { id: row.id, subject: row.subject, displayName: row.display_name, email: row.email, createdAt: row.created_at.toISOString() };
}
