import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Hello } from "./machine-protocol.ts";
import { dialFromSocket, type Endpoint, forwardToSocket } from "./relay.ts";
import { freePort } from "../testing/free-port.ts";

const HELLO: Hello = { kind: "relay", host: "db.example.com", port: 5432 };
const SIZE = 8 * 1024 * 1024;

let folder: string;
const ends: Endpoint[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-relay-"));
});

afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end.close()));
  rmSync(folder, { recursive: true, force: true });
});

describe("relay", () => {
  test("all bytes arrive although the reader is slow, and each half ends by itself", async () => {
    const real = await listen((socket) => {
      let heard = 0;
      socket.on("data", (chunk: Buffer) => (heard += chunk.length)).once("end", () => socket.end(Buffer.alloc(SIZE, String(heard).length)));
    });
    const port = await relayTo({ host: "127.0.0.1", port: real });
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    client.end(Buffer.alloc(SIZE, 1));
    let heard = 0;
    await new Promise<void>((resolve, reject) => {
      client.once("error", reject).once("end", resolve);
      client.on("data", (chunk: Buffer) => {
        heard += chunk.length;
        client.pause();
        setImmediate(() => client.resume());
      });
    });
    expect(heard).toBe(SIZE);
  });

  test.each([
    { title: "a host that is not opened", target: () => undefined },
    { title: "a port where nobody listens", target: () => ({ host: "127.0.0.1", port: 1 }) },
  ])("a connection to $title is reset, not ended", async ({ target }) => {
    const port = await relayTo(target());
    await expect(exchange(port)).rejects.toThrow(/ECONNRESET/);
  });

  test("what says no hello is closed", async () => {
    await relayTo({ host: "127.0.0.1", port: 1 });
    for (const text of ["GET / HTTP/1.1\r\n\r\n", '{"kind":"relay","host":"x","port":0}\n', "x".repeat(4096), "null\n"]) {
      const heard = await new Promise<string>((resolve) => {
        let said = "";
        const socket = connect(join(folder, "host.sock"), () => socket.write(text));
        socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
        socket.on("error", () => {}).once("close", () => resolve(said));
      });
      expect(heard).toBe("");
    }
  });

  test("the socket is its owner's only", async () => {
    await relayTo(undefined);
    expect(statSync(join(folder, "host.sock")).mode & 0o777).toBe(0o600);
  });

  test("a taken port is named, with what to do", async () => {
    const port = await listen(() => {});
    await expect(forwardToSocket({ host: "127.0.0.1", port }, "/nowhere", HELLO)).rejects.toMatchObject({
      message: `can't listen on 127.0.0.1:${port}: EADDRINUSE`,
      help: expect.stringContaining("kumiko.yaml"),
    });
  });
});

async function relayTo(target: { host: string; port: number } | undefined): Promise<number> {
  const path = join(folder, "host.sock");
  ends.push(await dialFromSocket(path, (hello) => (hello.kind === "relay" && hello.host === "db.example.com" ? target : undefined)));
  const port = await freePort();
  ends.push(await forwardToSocket({ host: "127.0.0.1", port }, path, HELLO));
  return port;
}

function exchange(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject).once("end", () => resolve("ended"));
    socket.write("x");
  });
}

function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, onConnection);
  ends.push({ close: () => new Promise((resolve) => server.close(() => resolve())) });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)));
}
