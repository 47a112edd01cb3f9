import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { canConnect, type Program, startProgram, untilReady, withoutRoot } from "@platform/setup/program";
import { Client } from "pg";
import { findBinaries } from "./binaries.ts";

export interface ClusterOptions {
  /** The data folder; made when it is not there. */
  readonly folder: string;
  readonly port: number;
  readonly superuserPassword: string;
  /** PEM files of the server, and PEM of its authority. */
  readonly certificatePath: string;
  readonly keyPath: string;
  readonly authority: string;
  /** Where PostgreSQL's own log goes. */
  readonly log: (text: string) => void;
  /** A database that is thrown away after a test need not survive a power cut. */
  readonly durable?: boolean;
}

/** A running PostgreSQL. */
export interface Cluster {
  /** The superuser's URL for a database. */
  adminUrl(database?: string): string;
  /** Settles when the server has ended, with its exit code. */
  readonly ended: Promise<number>;
  /** Ends sessions and shuts down in order. */
  stop(): Promise<void>;
}

const READY_MS = 30_000;

/** Starts a program of PostgreSQL's. */
type Run = (program: "initdb" | "postgres", args: readonly string[], log: (text: string) => void) => Program;

/** Starts PostgreSQL on loopback, TLS and SCRAM only, after `initdb` where the data folder is new. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const binaries = await findBinaries();
  const prefix = withoutRoot("PostgreSQL does not run as root");
  // SIGINT is the "fast" shutdown: sessions are ended, the data is written out.
  const run: Run = (name, args, log) =>
    startProgram({ prefix, program: binaries[name], args, env: { LC_ALL: "C" }, stopSignal: "SIGINT", log });
  if (!existsSync(join(options.folder, "PG_VERSION"))) await initialise(run, options);
  await removeStaleLock(options.folder);
  writeFileSync(join(options.folder, "pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n", { mode: 0o600 });
  const postgres = run("postgres", ["-D", options.folder, ...toArguments(options)], options.log);
  const cluster: Cluster = {
    adminUrl: (database = "postgres") => `postgres://postgres:${options.superuserPassword}@127.0.0.1:${options.port}/${database}`,
    ended: postgres.ended.then((code) => (typeof code === "number" ? code : 1)),
    stop: postgres.stop,
  };
  await untilIn(postgres, cluster, options);
  return cluster;
}

/** Makes the data folder under another name first: a start that was cut off leaves no half-made one behind. */
async function initialise(run: Run, options: ClusterOptions): Promise<void> {
  mkdirSync(dirname(options.folder), { recursive: true, mode: 0o700 });
  const draft = `${options.folder}.new`;
  const passwordFile = `${options.folder}.password`;
  rmSync(draft, { recursive: true, force: true });
  writeFileSync(passwordFile, `${options.superuserPassword}\n`, { mode: 0o600 });
  try {
    const args = [
      "-D",
      draft,
      "-U",
      "postgres",
      "--auth=scram-sha-256",
      `--pwfile=${passwordFile}`,
      "--encoding=UTF8",
      "--locale=C",
      "--no-sync",
    ];
    const initdb = run("initdb", args, () => undefined);
    if ((await initdb.ended) !== 0) throw new Error(`initdb failed:\n${initdb.output()}`);
    renameSync(draft, options.folder);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * A server that was killed leaves its lock file, and PostgreSQL believes in it while any process has the number in it. Process numbers come
 * round again soon, above all in a namespace of their own; the port in the file tells whether a server is there.
 */
async function removeStaleLock(folder: string): Promise<void> {
  const file = join(folder, "postmaster.pid");
  if (!existsSync(file)) return;
  const port = Number(readFileSync(file, "utf8").split("\n")[3]);
  const isThere = Number.isInteger(port) && port > 0 && (await canConnect(port));
  if (isThere) throw new Error(`another PostgreSQL runs on ${folder}, on port ${port}: stop it first`);
  rmSync(file, { force: true });
}

function toArguments(options: ClusterOptions): readonly string[] {
  const settings = {
    listen_addresses: "127.0.0.1",
    port: options.port,
    unix_socket_directories: "",
    ssl: "on",
    ssl_cert_file: options.certificatePath,
    ssl_key_file: options.keyPath,
    ssl_min_protocol_version: "TLSv1.2",
    password_encryption: "scram-sha-256",
    max_connections: 100,
    shared_buffers: "32MB",
    log_min_messages: "fatal",
    log_min_error_statement: "panic",
    log_parameter_max_length_on_error: 0,
    fsync: options.durable === false ? "off" : "on",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** @throws when the server ends first, or does not let its superuser in within half a minute. */
async function untilIn(postgres: Program, cluster: Cluster, options: ClusterOptions): Promise<void> {
  let failure: Error | undefined;
  const look = async () => {
    failure = await tryConnect(cluster.adminUrl(), options.authority);
    return failure === undefined || isFinal(failure);
  };
  const outcome = await untilReady(postgres, look, READY_MS);
  if (outcome === "ended") throw new Error("postgres ended at once; its output is above");
  if (failure === undefined) return;
  await cluster.stop();
  throw new Error(`postgres does not let its superuser in: ${failure.message}`, { cause: failure });
}

async function tryConnect(url: string, ca: string): Promise<Error | undefined> {
  const client = new Client({ connectionString: url, ssl: { ca }, connectionTimeoutMillis: 2_000 });
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A wrong password or certificate does not become right by waiting. */
function isFinal(error: Error): boolean {
  const code = "code" in error ? error.code : undefined;
  return code === "28P01" || code === "28000" || (typeof code === "string" && /CERT|SIGNATURE/.test(code));
}
