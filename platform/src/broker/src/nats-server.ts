import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { findNatsServer } from "./find-nats-server.ts";

export interface NatsUser {
  readonly user: string;
  readonly password: string;
  /** Subjects; everything where left out. */
  readonly permissions?: { readonly publish: readonly string[]; readonly subscribe: readonly string[] };
}

export interface NatsServerOptions {
  /** Where configuration and data lie; made when it is not there. */
  readonly folder: string;
  readonly port: number;
  readonly users: readonly NatsUser[];
  /** Files; without them the server speaks plain TCP, which only a test wants. */
  readonly tls?: { readonly certificatePath: string; readonly keyPath: string };
  readonly log: (text: string) => void;
}

export { findNatsServer } from "./find-nats-server.ts";

/** A running nats-server. */
export interface NatsServer {
  readonly pid: number;
  /** Settles when the server has ended, with its exit code or signal. */
  readonly ended: Promise<number | string>;
  stop(): Promise<void>;
}

const READY_MS = 20_000;
const MIB = 1_048_576;

/** Starts a nats-server with JetStream on loopback. @throws when it ends at once, or takes no connection in time. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const program = await findNatsServer(process.env, options.log);
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const file = join(options.folder, "nats-server.conf");
  writeFileSync(file, toConfiguration(options), { mode: 0o600 });
  const [command, ...args] = [...deathWishPrefix(), program, "--config", file];
  const child = spawn(command ?? program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], TZ: "UTC" },
    // Ctrl-C at the terminal is this process's to hear, which then stops the server in order.
    detached: true,
  });
  let output = "";
  const read = (text: string) => {
    output = (output + text).slice(-4_000);
    options.log(text);
  };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", read);
  child.on("error", (error) => read(`${program}: ${error.message}\n`));
  const ended = once(child, "close").then(([code, signal]) => (typeof code === "number" ? code : String(signal)));
  await untilReady(child, options.port, () => output);
  return {
    pid: child.pid ?? 0,
    ended,
    async stop() {
      if (isRunning(child)) child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Makes the system stop the server when this process dies without a word, where the system can. */
function deathWishPrefix(): readonly string[] {
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
  return setpriv === undefined ? [] : [setpriv, "--pdeathsig", "TERM", "--"];
}

/** JSON is a way to write a server's configuration. */
function toConfiguration({ folder, port, users, tls }: NatsServerOptions): string {
  return JSON.stringify(
    {
      listen: `127.0.0.1:${port}`,
      server_name: "platform",
      // An acknowledged event is on the disk, not only with the operating system.
      jetstream: { store_dir: join(folder, "data"), max_memory_store: 64 * MIB, max_file_store: 4_096 * MIB, sync_interval: "always" },
      max_payload: MIB / 4,
      ...(tls !== undefined && {
        tls: { cert_file: tls.certificatePath, key_file: tls.keyPath, min_version: "1.2", handshake_first: true },
      }),
      ...(users.length > 0 && { authorization: { users } }),
    },
    undefined,
    2,
  );
}

async function untilReady(child: ChildProcess, port: number, output: () => string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!(await canConnect(port))) {
    if (!isRunning(child)) throw new Error(`nats-server ended at once:\n${output()}`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`nats-server takes no connection on port ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
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
