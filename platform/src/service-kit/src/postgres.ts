import { Pool, type PoolClient, type PoolConfig } from "pg";
import type { Check } from "./health.ts";
import { PreparingClient } from "./preparing-client.ts";

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** PEM of the authority that the server's certificate is checked against. */
  readonly ca: string;
  readonly poolSize: number;
  readonly applicationName: string;
  /** Told when an idle connection breaks; the pool replaces it by itself. */
  readonly onIdleError: (error: Error) => void;
  /** Its sessions can't write. */
  readonly readOnly?: boolean;
}

/** Where a service writes, and where it reads what may be a moment old. One and the same pool where there is no replica. */
export interface Database {
  readonly writer: Pool;
  readonly reader: Pool;
  close(): Promise<void>;
}

export type { Pool, PoolClient } from "pg";

/** Opens the pool of the writer, and one of the read replica where `readerUrl` names it. */
export function openDatabase(options: PostgresOptions & { readonly readerUrl: string | undefined }): Database {
  const writer = openPool(options);
  if (options.readerUrl === undefined) return { writer, reader: writer, close: () => writer.end() };
  const reader = openPool({ ...options, url: options.readerUrl, readOnly: true });
  return { writer, reader, close: async () => void (await Promise.all([writer.end(), reader.end()])) };
}

/** A pool of TLS connections; the server's certificate must be of the authority and name the host. */
export function openPool(options: PostgresOptions): Pool {
  const pool = new Pool({
    ...connectionOf(options.url, options.ca),
    Client: PreparingClient,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: 3_000,
    idleTimeoutMillis: 60_000,
    // Connections end before the mesh ends them.
    maxLifetimeSeconds: 1_800,
    statement_timeout: 5_000,
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    // A write that went to the replica's pool by mistake fails in every test, not only where there is a replica.
    ...(options.readOnly === true && { options: "-c default_transaction_read_only=on" }),
  });
  pool.on("error", options.onIdleError);
  return pool;
}

/** The parts of a URL, one by one: `sslmode` and the like in a URL would override the TLS settings here. */
export function connectionOf(url: string, ca: string): PoolConfig {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname,
    port: port === "" ? 5432 : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    ssl: { ca, rejectUnauthorized: true, minVersion: "TLSv1.2" },
  };
}

/** Holds when the database answers and has the migration that this code was written for. */
export function schemaCheck(pool: Pool, newestMigration: string): Check {
  return async () => {
    const { rowCount } = await pool.query("SELECT 1 FROM pgmigrations WHERE name = $1", [newestMigration]);
    if (rowCount !== 1) throw new Error(`migration ${newestMigration} has not run`);
  };
}

/** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
export async function inTransaction<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that breaks between two queries says so here only; unheard, it would end the process.
  const onBroken = (error: Error) => void (broken = error);
  client.on("error", onBroken);
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(onBroken);
    throw error;
  } finally {
    client.off("error", onBroken);
    client.release(broken);
  }
}
