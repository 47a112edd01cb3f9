import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { type Binaries, findBinaries } from "./binaries.ts";
import { deathWishPrefix, launchPrefix } from "./launch.ts";

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

/** Starts PostgreSQL on loopback, TLS and SCRAM only, after `initdb` where the data folder is new. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const binaries = await findBinaries();
  const prefix = [...launchPrefix(), ...deathWishPrefix()];
  if (!existsSync(join(options.folder, "PG_VERSION"))) await initialise(binaries, prefix, options);
  await removeStaleLock(options.folder);
  writeFileSync(join(options.folder, "pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n", { mode: 0o600 });
  const child = run(prefix, binaries.postgres, ["-D", options.folder, ...toArguments(options)], options.log);
  const ended = once(child, "close").then(([code]) => (typeof code === "number" ? code : 1));
  const cluster: Cluster = {
    adminUrl: (database = "postgres") => `postgres://postgres:${options.superuserPassword}@127.0.0.1:${options.port}/${database}`,
    ended,
    stop: async () => {
      // "Fast" shutdown: sessions are ended, the data is written out.
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
      await ended;
    },
  };
  await untilReady(child, cluster, options);
  return cluster;
}

/** Makes the data folder under another name first: a start that was cut off leaves no half-made one behind. */
async function initialise(binaries: Binaries, prefix: readonly string[], options: ClusterOptions): Promise<void> {
  mkdirSync(dirname(options.folder), { recursive: true, mode: 0o700 });
  const draft = `${options.folder}.new`;
  const passwordFile = `${options.folder}.password`;
  const output: string[] = [];
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
    const child = run(prefix, binaries.initdb, args, (text) => output.push(text));
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`initdb failed:\n${output.join("")}`);
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

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
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

function run(prefix: readonly string[], program: string, args: readonly string[], log: (text: string) => void): ChildProcess {
  const [command, ...rest] = [...prefix, program, ...args];
  const child = spawn(command ?? program, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
    // Ctrl-C at the terminal is this process's to hear, which then stops the server in order.
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", log);
  child.on("error", (error) => log(`${command}: ${error.message}\n`));
  return child;
}

/** @throws when the server ends first, or does not answer within half a minute. */
async function untilReady(child: ChildProcess, cluster: Cluster, options: ClusterOptions): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("postgres ended at once; its output is above");
    const failure = await tryConnect(cluster.adminUrl(), options.authority);
    if (failure === undefined) return;
    if (Date.now() > deadline || isFinal(failure)) {
      await cluster.stop();
      throw new Error(`postgres does not let its superuser in: ${failure.message}`, { cause: failure });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
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
