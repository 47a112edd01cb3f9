import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../testing/free-port.ts";
import { fc } from "../testing/property.ts";
import { until } from "../testing/until.ts";

const BIG = 4 * 1024 * 1024;
/** What either peer of a connection may do, in any order: the ways in which it ends or stops taking part. */
const DEEDS: readonly ((socket: Socket) => unknown)[] = [
  (socket) => socket.end("bye"),
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.write(Buffer.alloc(BIG)),
  (socket) => socket.end(Buffer.alloc(BIG)),
  (socket) => (socket.write(Buffer.alloc(BIG)), socket.destroy()),
  (socket) => socket.pause(),
  (socket) => socket.resume(),
];

let folder: string;
let relay: ChildProcess;
let server: Server;
let port: number;
let peers: Set<Socket>;
let misbehave: (socket: Socket) => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-handles-"));
  peers = new Set();
  misbehave = () => {};
  server = createServer({ allowHalfOpen: true }, (socket) => (follow(socket), misbehave(socket))).listen(0, "127.0.0.1");
  await once(server, "listening");
  port = await freePort();
  relay = fork(fileURLToPath(new URL("../testing/relay-process.ts", import.meta.url)), [
    join(folder, "relay.sock"),
    String(port),
    String((server.address() as { port: number }).port),
  ]);
  await once(relay, "message");
});

afterEach(() => {
  relay.kill("SIGKILL");
  for (const peer of peers) peer.destroy();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the relay's descriptors", () => {
  test.each([30, 100, 300])("are given back by %i connections that ended in every way, and the process can end", async (size) => {
    const [ofClients = [], ofServers = []] = [fc.sample(plan, size), fc.sample(plan, { numRuns: size, seed: size })];
    misbehave = (socket) => follows(socket, ofServers.pop());
    const before = await descriptors();
    for (const steps of ofClients) follows(client(), steps);
    await until("the peers have done what they do", () => pending === 0);
    for (const peer of peers) peer.destroy();
    await until(`${before} descriptors are open again`, async () => (await descriptors()) === before);
    expect(await endAfterStop()).toEqual([0, null]);
  });

  test("are given back and the process ends where all connections are open when it stops, half of them half closed", async () => {
    const accepted = () => [...peers].filter((socket) => socket.localPort === (server.address() as { port: number }).port).length;
    for (let i = 0; i < 60; i++) {
      const socket = client();
      socket.write("x");
      if (i % 2 === 0) socket.end();
      else if (i % 3 === 0) socket.pause();
    }
    await until("all have come through", () => accepted() === 60);
    expect(await endAfterStop()).toEqual([0, null]);
  });
});

describe("a port", () => {
  test("takes a bounded number of connections, and others again when those have gone", async () => {
    const held: boolean[] = [];
    // A hundred at a time: more than the kernel's queue holds would wait for an answer that nobody sends.
    for (let i = 0; i < 11; i++) held.push(...(await Promise.all(Array.from({ length: 100 }, () => answered()))));
    expect(held.filter((isOpen) => isOpen)).toHaveLength(1024);
    for (const peer of peers) peer.destroy();
    await until("there is room again", () => answered());
  });
});

const plan = fc.array(fc.record({ deed: fc.constantFrom(...DEEDS), afterMs: fc.nat(300) }), { minLength: 3, maxLength: 3 });
let pending = 0;

function follows(socket: Socket, steps: readonly { readonly deed: (socket: Socket) => unknown; readonly afterMs: number }[] = []): void {
  for (const { deed, afterMs } of steps) {
    pending++;
    setTimeout(() => {
      pending--;
      if (!socket.destroyed && socket.writable) deed(socket);
    }, afterMs);
  }
}

function client(): Socket {
  return follow(connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
}

function follow(socket: Socket): Socket {
  peers.add(socket);
  return socket
    .resume()
    .on("error", () => {})
    .once("close", () => peers.delete(socket));
}

/** Whether a new connection reaches the server. */
async function answered(): Promise<boolean> {
  misbehave = (socket) => socket.write("hello");
  const socket = client();
  return new Promise((resolve) => {
    socket
      .once("data", () => resolve(true))
      .once("end", () => resolve(false))
      .once("close", () => resolve(false));
  });
}

async function descriptors(): Promise<number> {
  const answer = once(relay, "message");
  relay.send("count");
  return (await answer)[0] as number;
}

async function endAfterStop(): Promise<readonly unknown[]> {
  const exited = once(relay, "exit");
  relay.send("stop");
  return exited;
}
