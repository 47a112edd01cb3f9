import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canConnect, type RunningProgram, startProgram, untilReady } from "@platform/setup/program";
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
export type NatsServer = RunningProgram;

const READY_MS = 20_000;
const MIB = 1_048_576;

/** Starts a nats-server with JetStream on loopback. @throws when it ends at once, or takes no connection in time. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const program = await findNatsServer(process.env, options.log);
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const file = join(options.folder, "nats-server.conf");
  writeFileSync(file, toConfiguration(options), { mode: 0o600 });
  const server = startProgram({ program, args: ["--config", file], stopSignal: "SIGTERM", log: options.log });
  // Its own word, too: on a taken port somebody else would answer.
  const isReady = async () => server.output().includes("Server is ready") && (await canConnect(options.port));
  const outcome = await untilReady(server, isReady, READY_MS);
  if (outcome === "ended") throw new Error(`nats-server ended at once:\n${server.output()}`);
  if (outcome === "late") {
    server.kill();
    throw new Error(`nats-server takes no connection on port ${options.port}`);
  }
  return server;
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
