import type { FastifyInstance } from "fastify";
import { CallerError } from "./config.ts";
import { addProcessMetrics } from "./metrics.ts";

export interface RunOptions {
  readonly port: number;
  readonly stopTimeoutMs: number;
}

const IDLE_CHECK_MS = 50;

/**
 * Listens until SIGTERM or SIGINT, then stops taking connections, lets requests in flight end, and closes what the server holds.
 * All interfaces: in a Pod the proxy connects from 127.0.0.6, the kubelet from the node.
 */
export async function runService(server: FastifyInstance, options: RunOptions): Promise<void> {
  addProcessMetrics(server);
  await server.listen({ host: "0.0.0.0", port: options.port });
  const { promise: told, resolve } = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  server.log.info({ signal: await told }, "stopping");
  const late = setTimeout(() => {
    server.log.error("requests took too long to end");
    process.exit(1);
  }, options.stopTimeoutMs);
  // A connection whose last request has ended would stay open as long as the proxy keeps it.
  const idle = setInterval(() => server.server.closeIdleConnections(), IDLE_CHECK_MS);
  await server.close();
  clearInterval(idle);
  clearTimeout(late);
}

/** Runs a program's main function; a failure ends it with exit code 1 and one line that says why. */
export async function main(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const text = error instanceof CallerError ? error.message : String(error instanceof Error ? (error.stack ?? error.message) : error);
    process.stderr.write(`${text}\n`);
    process.exitCode = 1;
  }
}
