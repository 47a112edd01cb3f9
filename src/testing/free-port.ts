import { once } from "node:events";
import { createServer, type Server } from "node:net";

/**
 * Below the ports that Linux, unless told otherwise, gives to connections and to whoever asks for any (`ip_local_port_range`): none is taken
 * between here and its use.
 */
const FIRST_PORT = 10_240;
const END_PORT = 32_768;
const BLOCK_SIZE = 64;

let block: { next: number; readonly end: number } | undefined;
let previous: Promise<number> = Promise.resolve(0);

/**
 * A TCP port of the loopback on which nobody listens, for a program that can't be told to take any. No test is given it twice, and none that runs beside
 * this one: each test file claims blocks of ports by listening on their first, which the system ends with its process.
 *
 * The platform has its own: it imports nothing of ours.
 *
 * @throws where all blocks are taken.
 */
export function freePort(): Promise<number> {
  previous = previous.then(nextPort, nextPort);
  return previous;
}

async function nextPort(): Promise<number> {
  for (;;) {
    if (block === undefined || block.next === block.end) block = await claimBlock();
    const port = block.next++;
    const probe = await listen(port);
    if (probe === undefined) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

async function claimBlock(): Promise<{ next: number; readonly end: number }> {
  for (let first = FIRST_PORT; first < END_PORT; first += BLOCK_SIZE) {
    const claim = await listen(first);
    if (claim === undefined) continue;
    claim.unref();
    return { next: first + 1, end: first + BLOCK_SIZE };
  }
  throw new Error(`no free ports between ${FIRST_PORT} and ${END_PORT}`);
}

/** Nothing where somebody listens already. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy()).listen({ port, host: "127.0.0.1", exclusive: true });
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE" || code === "EACCES") return undefined;
    throw error;
  }
}
