import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EchoUnderTest, freshAddress } from "../../testing/echo-program.ts";
import { until } from "../../testing/until.ts";

let echo: EchoUnderTest;
let address: string;
beforeEach(async () => {
  echo = new EchoUnderTest();
  address = freshAddress();
  await echo.listen({ address, port: 8080, as: "a/b" });
});
afterEach(() => echo.close());

/** All that comes back to these bytes, in the pieces in which they are sent, after which the client ends its side. */
function exchange(...pieces: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: address, port: 8080, allowHalfOpen: true });
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    socket.on("end", () => socket.end());
    const rest = [...pieces];
    const next = (): void => {
      const piece = rest.shift();
      if (piece === undefined) socket.end();
      else socket.write(piece, "latin1", () => setImmediate(next));
    };
    socket.setNoDelay().once("connect", next);
  });
}

const OK = "HTTP/1.1 200 Echo\r\n";

test.each([
  {
    title: "requests that follow one another",
    sent: ["GET /1 HTTP/1.1\r\n\r\n", "GET /2 HTTP/1.1\r\n\r\n"],
    got: `${OK}content-length: 0\r\n\r\n`.repeat(2),
    paths: ["/1", "/2"],
  },
  {
    title: "requests that come at once, in their order",
    sent: ["POST /1 HTTP/1.1\r\ncontent-length: 1\r\n\r\naGET /2 HTTP/1.1\r\n\r\n"],
    got: `${OK}content-length: 1\r\n\r\na${OK}content-length: 0\r\n\r\n`,
    paths: ["/1", "/2"],
  },
  {
    title: "a request that comes byte by byte",
    sent: [..."GET / HTTP/1.1\r\na: b\r\n\r\n"],
    got: `${OK}content-length: 0\r\n\r\n`,
    paths: ["/"],
  },
  { title: "lines without carriage returns", sent: ["GET / HTTP/1.1\na: b\n\n"], got: `${OK}content-length: 0\r\n\r\n`, paths: ["/"] },
  {
    title: "connection: close",
    sent: ["GET / HTTP/1.1\r\nConnection: Close\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"],
    got: `${OK}content-length: 0\r\nconnection: close\r\n\r\n`,
    paths: ["/"],
  },
  { title: "HTTP/1.0", sent: ["GET / HTTP/1.0\r\n\r\n"], got: `${OK}content-length: 0\r\nconnection: close\r\n\r\n`, paths: ["/"] },
  {
    title: "HTTP/1.0 that asks to go on",
    sent: ["GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n"],
    got: `${OK}content-length: 0\r\n\r\n${OK}content-length: 0\r\nconnection: close\r\n\r\n`,
    paths: ["/", "/2"],
  },
  {
    title: "a client that waits to be told to go on",
    sent: ["POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n", "a"],
    got: `HTTP/1.1 100 Continue\r\n\r\n${OK}content-length: 1\r\n\r\na`,
    paths: ["/"],
  },
  { title: "a body that breaks off, by no answer", sent: ["POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf"], got: "", paths: ["/"] },
  {
    title: "HEAD by the length alone",
    sent: ["HEAD / HTTP/1.1\r\ncontent-length: 1\r\n\r\na"],
    got: `${OK}content-length: 1\r\n\r\n`,
    paths: ["/"],
  },
  {
    title: "304 without a length",
    sent: ["POST / HTTP/1.1\r\nx-echo-status: 304\r\ncontent-length: 1\r\n\r\na"],
    got: "HTTP/1.1 304 Echo\r\n\r\n",
    paths: ["/"],
  },
  {
    title: "an accept key, where the client has one",
    sent: ["GET / HTTP/1.1\r\nupgrade: WebSocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"],
    got: "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    paths: ["/"],
  },
  {
    title: "frames: a masked text by a plain one, a ping by a pong, a close by a close and nothing after it, a pong by nothing",
    sent: [
      "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n\x81\x82\x01\x02\x03\x04ik",
      "\x8a\x00\x89\x01p",
      "\x82\x00\x88\x02\x03\xe8\x82\x00",
    ],
    got: "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n\x81\x02hi\x8a\x01p\x82\x00\x88\x02\x03\xe8",
    paths: ["/"],
  },
])("answers $title", async ({ sent, got, paths }) => {
  expect(await exchange(...sent)).toBe(got);
  expect(echo.arrivals().map(({ request }) => request?.path)).toEqual(paths);
});

test("a request with a body that breaks off is an arrival, with what came of it", async () => {
  await exchange("POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf");
  expect(await echo.flush()).toMatchObject([{ request: { body: "half" } }]);
});

test("a head without an end is cut off, and no arrival", async () => {
  const socket = connect(8080, address).on("error", () => {});
  const ended = new Promise((resolve) => socket.once("close", resolve));
  socket.resume().write(`GET / HTTP/1.1\r\na: ${"x".repeat(600_000)}`);
  await ended;
  expect(echo.arrivals()).toEqual([]);
});

test("bytes that came before the client ended its side all come back", async () => {
  const text = "0123456789\n".repeat(100_000);
  expect(await exchange(text)).toBe(text);
});

test("a client that goes away while it is answered harms nobody", async () => {
  const socket = connect(8080, address, () => socket.write("GET / HTTP/1.1\r\nx-echo-delay-ms: 50\r\n\r\n")).on("error", () => {});
  await until("the arrival", () => echo.arrivals().length === 1);
  socket.resetAndDestroy();
  expect(await exchange("GET / HTTP/1.1\r\nx-echo-delay-ms: 60\r\n\r\n")).toContain("200");
  expect(echo.outputs.filter(({ kind }) => kind === "error")).toEqual([]);
});
