import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { freshAddress, orderTo } from "../../testing/echo-program.ts";
import type { ClientOrder } from "../real/exchange.ts";
import { send } from "./client.ts";

const open: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function serve(server: Server): Promise<string> {
  const address = freshAddress();
  open.push(server);
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket))));
  await new Promise<void>((resolve) => server.listen({ host: address, port: 8080 }, resolve));
  return address;
}

/** A server that does this once the first bytes are there. */
function scripted(answer: (socket: Socket, first: Buffer) => void): Promise<string> {
  return serve(createServer({ allowHalfOpen: true }, (socket) => socket.once("data", (first) => answer(socket, first))));
}

const says = (text: string) => (socket: Socket) => void socket.write(text, "latin1");
const ends = (text: string) => (socket: Socket) => void socket.end(text, "latin1");
const resets = (socket: Socket) => void socket.resetAndDestroy();

interface Row {
  readonly title: string;
  readonly order?: Partial<ClientOrder>;
  readonly server: (socket: Socket, first: Buffer) => void;
  readonly report: object;
}

const http2Frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]), payload]);
const settings = http2Frame(4, 0, 0, Buffer.alloc(0));

const rows: readonly Row[] = [
  {
    title: "header lines keep their order, their doubles and their values; interim answers are passed over",
    server: says(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\nB: 2\r\nset-Cookie: x=1\r\nset-cookie:y=2 \r\nb: 1\r\ncontent-length: 2\r\n\r\nok",
    ),
    report: {
      kind: "response",
      status: 200,
      headers: [
        ["b", "2"],
        ["set-cookie", "x=1"],
        ["set-cookie", "y=2"],
        ["b", "1"],
        ["content-length", "2"],
      ],
      body: "ok",
    },
  },
  {
    title: "chunks are joined, trailers kept",
    server: says("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nx-t: 1\r\n\r\n"),
    report: { status: 200, body: "abc0123456789", trailers: [["x-t", "1"]] },
  },
  {
    title: "a body without a length lasts to the end",
    server: ends("HTTP/1.1 200\r\n\r\nall of it"),
    report: { status: 200, body: "all of it" },
  },
  {
    title: "304 has no body, whatever its length",
    server: says("HTTP/1.1 304 X\r\ncontent-length: 9\r\n\r\n"),
    report: { status: 304, body: "" },
  },
  {
    title: "HEAD has no body",
    order: { method: "HEAD" },
    server: says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
    report: { status: 200, headers: [["content-length", "9"]], body: "" },
  },
  {
    title: "a body that breaks off is a response, cut",
    server: ends("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
    report: { kind: "response", status: 200, body: "half", cut: true },
  },
  { title: "FIN before any byte is closed", server: ends(""), report: { kind: "closed", detail: "ended without an answer" } },
  { title: "RST before any byte is closed", server: resets, report: { kind: "closed", detail: "ECONNRESET" } },
  {
    title: "an end within the head is closed",
    server: ends("HTTP/1.1 20"),
    report: { kind: "closed", detail: "ended within the head of an answer" },
  },
  {
    title: "what is no HTTP is closed",
    server: says("220 mail\r\n\r\n"),
    report: { kind: "closed", detail: expect.stringContaining("220 mail") },
  },
  {
    title: "silence ends after the time",
    order: { timeoutMs: 50 },
    server: () => {},
    report: { kind: "timeout", detail: "nothing within 50 ms" },
  },
  {
    title: "a server that has ended its side may still answer a client",
    server: (socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    report: { status: 200, body: "ok" },
  },
  {
    title: "an upgrade that carries nothing is cut",
    order: { protocol: "websocket" },
    server: ends("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"),
    report: { status: 101, body: "", cut: true },
  },
  {
    title: "bytes: FIN is closed",
    order: { protocol: "tcp" },
    server: ends(""),
    report: { kind: "closed", detail: "ended without a byte" },
  },
  { title: "bytes: RST is closed", order: { protocol: "tcp" }, server: resets, report: { kind: "closed", detail: "ECONNRESET" } },
  {
    title: "bytes: an answer that is no echo is closed, and shown",
    order: { protocol: "tcp" },
    server: ends("HTTP/1.1 400 Bad Request\r\n\r\n"),
    report: { kind: "closed", detail: expect.stringContaining("ended after: HTTP/1.1 400 Bad Request") },
  },
  { title: "bytes: silence is a timeout", order: { protocol: "tcp", timeoutMs: 50 }, server: () => {}, report: { kind: "timeout" } },
  {
    title: "bytes: an echo in pieces is open",
    order: { protocol: "tcp", body: "abcdef" },
    server: (socket, first) => {
      socket.write(first.subarray(0, 3));
      setImmediate(() => socket.write(first.subarray(3)));
    },
    report: { kind: "open", received: "abcdef" },
  },
  {
    title: "HTTP/2: FIN is closed",
    order: { protocol: "http2" },
    server: ends(""),
    report: { kind: "closed", detail: "ended without a byte" },
  },
  {
    title: "HTTP/2: an answer of HTTP/1 is closed",
    order: { protocol: "http2" },
    server: says("HTTP/1.1 400 Bad Request\r\n\r\n"),
    report: { kind: "closed", detail: expect.stringContaining("no HTTP/2") },
  },
  {
    title: "HTTP/2: a connection given up is closed, with the reason",
    order: { protocol: "http2" },
    server: (socket) => void socket.write(Buffer.concat([settings, http2Frame(7, 0, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]))])),
    report: { kind: "closed", detail: "connection given up: PROTOCOL_ERROR" },
  },
  {
    title: "HTTP/2: a stream reset is closed, with the reason",
    order: { protocol: "http2" },
    server: (socket) => void socket.write(Buffer.concat([settings, http2Frame(3, 0, 1, Buffer.from([0, 0, 0, 7]))])),
    report: { kind: "closed", detail: "stream reset: REFUSED_STREAM" },
  },
  {
    title: "HTTP/2: a broken header block is closed",
    order: { protocol: "http2" },
    server: (socket) => void socket.write(Buffer.concat([settings, http2Frame(1, 5, 1, Buffer.from([0xff, 0xff]))])),
    report: { kind: "closed", detail: "a header block that can't be read" },
  },
  {
    title: "HTTP/2: padding, priority and continuations are read, interim answers passed over",
    order: { protocol: "http2" },
    server: (socket) =>
      void socket.write(
        Buffer.concat([
          settings,
          // :status: 100 as a literal, then :status: 200 in two parts, then padded data.
          http2Frame(1, 4, 1, Buffer.from([0x08, 3, 0x31, 0x30, 0x30])),
          http2Frame(1, 8 | 32, 1, Buffer.from([2, 0, 0, 0, 0, 16, 0x88, 0x00, 0, 0])),
          http2Frame(9, 4, 1, Buffer.from([1, 0x78, 1, 0x79])),
          http2Frame(0, 8 | 1, 1, Buffer.from([1, 0x6f, 0x6b, 0])),
        ]),
      ),
    report: { kind: "response", status: 200, headers: [["x", "y"]], body: "ok" },
  },
];

test.each(rows)("$title", async ({ order, server, report }) => {
  const seen = await send(orderTo(await scripted(server), order));
  expect(seen).toMatchObject(report);
  expect("cut" in seen).toBe("cut" in report);
});

test("a client that waits for the server to speak first sends nothing before", async () => {
  const seen: string[] = [];
  const address = await serve(
    createServer((socket) => {
      socket.on("data", (bytes) => {
        seen.push(bytes.toString());
        socket.write(bytes);
      });
      // So late that what a hasty client sent would have been there.
      const greet = (turns: number): void => {
        if (turns > 0) return void setImmediate(greet, turns - 1);
        seen.push("greeted");
        socket.write("welcome\n");
      };
      greet(100);
    }),
  );
  expect(await send(orderTo(address, { protocol: "tcp", serverFirst: true }))).toMatchObject({ received: "welcome\nhello\n" });
  expect(seen).toEqual(["greeted", "hello\n"]);
});

test("a body waits for the server's windows, which settings widen too", async () => {
  const wide = Buffer.from([0, 4, 0, 3, 0x0d, 0x40]);
  const more = Buffer.from([0, 3, 0x0d, 0x40]);
  const body = "b".repeat(150_000);
  const address = await scripted((socket, first) => {
    let bytes = first.length;
    const take = (): void => {
      // Preface, settings, headers, ten frames of data, the settings' acknowledgement; nothing widens the stream's own window.
      if (bytes > body.length + 100) socket.write(http2Frame(1, 5, 1, Buffer.from([0x88])));
    };
    socket.on("data", (chunk) => {
      bytes += chunk.length;
      take();
    });
    socket.write(Buffer.concat([http2Frame(4, 0, 0, wide), http2Frame(8, 0, 0, more)]));
  });
  expect(await send(orderTo(address, { protocol: "http2", method: "POST", body, timeoutMs: 5_000 }))).toMatchObject({ status: 200 });
});

test("a port that nobody listens on refuses", async () => {
  expect(await send(orderTo(freshAddress()))).toMatchObject({ kind: "refused", detail: "ECONNREFUSED" });
});

test("an address without a route is refused", async () => {
  expect(await send(orderTo("255.255.255.255"))).toMatchObject({ kind: "refused", detail: "ENETUNREACH" });
});

test("a lone request goes out byte for byte", async () => {
  let seen = "";
  const address = await scripted((socket, first) => {
    seen = first.toString();
    socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  });
  const headers = [
    ["X-Two  ", " b"],
    ["x-two", ""],
    ["Content-Length", "1"],
  ] as const;
  await send(orderTo(address, { method: "get", path: "*", authority: "", headers, body: "ab" }));
  expect(seen).toBe("get * HTTP/1.1\r\nhost: \r\nX-Two  :  b\r\nx-two: \r\nContent-Length: 1\r\n\r\nab");
});

describe("against Node's HTTP/2 server", () => {
  async function http2(answer: (stream: ServerHttp2Stream) => void, order: Partial<ClientOrder> = {}) {
    const server = createHttp2Server();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      answer(stream);
    });
    server.on("sessionError", () => {});
    const address = await serve(server as unknown as Server);
    return send(orderTo(address, { protocol: "http2", ...order }));
  }

  test("every character of a header value is read, however it is packed", async () => {
    const all = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i)).trim();
    const many = Array.from({ length: 40 }, (_, i) => [`x-${i}`, all.slice(i).trim()] as const);
    const report = await http2((stream) => {
      stream.respond({ ":status": 302, ...Object.fromEntries(many), "set-cookie": ["a=1", "b=2"] });
      stream.end();
    });
    expect(report).toMatchObject({ status: 302, headers: expect.arrayContaining([...many, ["set-cookie", "a=1"], ["set-cookie", "b=2"]]) });
  });

  test("a wide answer comes whole", async () => {
    const body = "x".repeat(3_000_000);
    const report = await http2((stream) => {
      stream.respond({ ":status": 200 });
      stream.end(body);
    });
    expect(report.kind === "response" && report.body === body && report.cut === undefined).toBe(true);
  });

  test("a stream that breaks off after its head is a response, cut", async () => {
    const report = await http2((stream) => {
      stream.respond({ ":status": 200 });
      stream.write("half", () => stream.destroy(new Error("broken off")));
    });
    expect(report).toMatchObject({ kind: "response", status: 200, body: "half", cut: true });
  });

  test("trailers are told apart from headers", async () => {
    const report = await http2(
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "5", "grpc-message": "no" }));
        stream.end(Buffer.from([0, 0, 0, 0, 1, 0x61]));
      },
      { protocol: "grpc", method: "POST" },
    );
    expect(report).toMatchObject({
      body: "a",
      trailers: [
        ["grpc-status", "5"],
        ["grpc-message", "no"],
      ],
    });
  });
});
