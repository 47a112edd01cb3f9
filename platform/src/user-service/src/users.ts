import type { Pool } from "@platform/service-kit";

/** One profile. */
export interface User {
  readonly id: string;
  readonly subject: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly createdAt: string;
}

/** The profiles in PostgreSQL. */
export interface Users {
  /** Makes the subject's profile, or finds the one that is there. */
  signUp(profile: { subject: string; displayName: string; email: string | null }): Promise<{ user: User; created: boolean }>;
  findBySubject(subject: string): Promise<User | undefined>;
  findById(id: string): Promise<User | undefined>;
}

interface Row {
  readonly id: string;
  readonly subject: string;
  readonly display_name: string;
  readonly email: string | null;
  readonly created_at: Date;
}

const COLUMNS = "id, subject, display_name, email, created_at";

export function createUsers(pool: Pool): Users {
  const findBy = async (column: "id" | "subject", value: string) => {
    const { rows } = await pool.query<Row>(`SELECT ${COLUMNS} FROM users WHERE ${column} = $1`, [value]);
    return rows[0] === undefined ? undefined : toUser(rows[0]);
  };
  return {
    async signUp({ subject, displayName, email }) {
      const insert = `INSERT INTO users (subject, display_name, email) VALUES ($1, $2, $3) ON CONFLICT (subject) DO NOTHING RETURNING ${COLUMNS}`;
      const { rows } = await pool.query<Row>(insert, [subject, displayName, email]);
      if (rows[0] !== undefined) return { user: toUser(rows[0]), created: true };
      const user = await findBy("subject", subject);
      if (user === undefined) throw new Error("the profile vanished while it was signed up");
      return { user, created: false };
    },
    findBySubject: (subject) => findBy("subject", subject),
    findById: (id) => findBy("id", id),
  };
}

function toUser(row: Row): User {
  return { id: row.id, subject: row.subject, displayName: row.display_name, email: row.email, createdAt: row.created_at.toISOString() };
}
