import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";

export interface DatabaseConnection {
  readonly application: string;
  readonly tls: boolean;
}

/** The services' connections as the platform's PostgreSQL sees them, one line for each kind. */
export async function readDatabaseConnections(stateDir: string, port: number): Promise<readonly DatabaseConnection[]> {
  const { postgres: password } = JSON.parse(readFileSync(join(stateDir, "passwords.json"), "utf8")) as { postgres: string };
  const ca = readFileSync(join(stateDir, "ca/root.pem"), "utf8");
  const client = new Client({ host: "127.0.0.1", port, user: "postgres", password, database: "postgres", ssl: { ca } });
  await client.connect();
  try {
    const { rows } = await client.query<DatabaseConnection>(
      `SELECT DISTINCT application_name AS application, ssl AS tls FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
       WHERE application_name LIKE '%-service' ORDER BY application`,
    );
    return rows;
  } finally {
    await client.end();
  }
}
