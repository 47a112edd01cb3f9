/**
 * A workload for tests: answers with what it got, fails on demand, and makes calls on demand, so that a test outside the mesh can see what a
 * workload inside it sees. HTTP and WebSocket on PORT, lines of TCP on TCP_PORT.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, createServer as createTcpServer, type Socket } from "node:net";

const name = process.env["POD_NAME"] ?? "echo";
const version = process.env["VERSION"] ?? "v1";
const alwaysStatus = process.env["ALWAYS_STATUS"];
const port = Number(process.env["PORT"] ?? 8080);
const tcpPort = Number(process.env["TCP_PORT"] ?? 0);
const attempts = new Map<string, number>();
let served = 0;

const server = createServer((incoming, response) => {
  const url = new URL(incoming.url ?? "/", "http://echo");
  if (url.pathname === "/health") return void response.end("ok");
  if (url.pathname === "/served") return void response.end(String(served));
  if (url.pathname === "/call") return void relay(incoming, response);
  if (url.pathname === "/dial") return void dial(url, response);
  served += 1;
  response.writeHead(statusFor(incoming), { "content-type": "application/json", "x-workload": name, "x-version": version });
  response.end(JSON.stringify({ workload: name, version, method: incoming.method, path: incoming.url, headers: incoming.headers }));
});

/** `x-echo-status: 503,200` fails the first request of an `x-request-id`, then answers. */
function statusFor(incoming: IncomingMessage): number {
  if (alwaysStatus !== undefined) return Number(alwaysStatus);
  const wanted = String(incoming.headers["x-echo-status"] ?? "200").split(",");
  const id = String(incoming.headers["x-request-id"] ?? "");
  const attempt = attempts.get(id) ?? 0;
  attempts.set(id, attempt + 1);
  return Number(wanted[Math.min(attempt, wanted.length - 1)]);
}

/** POST {url, method, headers, body}: calls it through this workload's sidecar and answers {status, headers, body} or {error}. */
async function relay(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const call = JSON.parse(Buffer.concat(chunks).toString()) as {
    url: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string;
  };
  const answer = (body: unknown) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  const outgoing = request(
    call.url,
    { method: call.method ?? "GET", headers: call.headers ?? {}, agent: false, timeout: 5000 },
    async (got) => {
      const body: Buffer[] = [];
      for await (const chunk of got) body.push(chunk as Buffer);
      answer({ status: got.statusCode, headers: got.headers, body: Buffer.concat(body).toString() });
    },
  );
  outgoing.on("timeout", () => outgoing.destroy(new Error("timeout")));
  outgoing.on("error", (error: NodeJS.ErrnoException) => answer({ error: error.code ?? error.message }));
  outgoing.end(call.body);
}

/** Opens a plain TCP connection, sends a line and answers with what came back: for ports that are no HTTP, and for ways that must be closed. */
function dial(url: URL, response: ServerResponse): void {
  const socket = connect({ host: url.searchParams.get("host") ?? "", port: Number(url.searchParams.get("port")) });
  let received = "";
  const finish = (end: string) => {
    socket.destroy();
    if (!response.writableEnded) response.end(JSON.stringify({ end, received }));
  };
  socket.setTimeout(3000, () => finish("timeout"));
  socket.on("connect", () => socket.write(`${url.searchParams.get("line") ?? "hello"}\n`));
  socket.on("data", (data) => {
    received += data.toString();
    if (received.endsWith("\n")) finish("open");
  });
  socket.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  socket.on("close", () => finish("closed"));
}

/** Just enough of RFC 6455 for short text frames: what a test needs to see that a connection stays open. */
server.on("upgrade", (incoming, socket: Socket) => {
  const accept = createHash("sha1").update(`${incoming.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
  socket.on("error", () => socket.destroy());
  let pending = Buffer.alloc(0);
  socket.on("data", (data: Buffer) => {
    pending = Buffer.concat([pending, data]);
    for (;;) {
      const length = (pending[1] ?? 0) & 0x7f;
      if (pending.length < 6 + length) return;
      const mask = pending.subarray(2, 6);
      const opcode = (pending[0] ?? 0) & 0x0f;
      const text = Buffer.from(pending.subarray(6, 6 + length).map((byte, i) => byte ^ (mask[i % 4] ?? 0)));
      pending = pending.subarray(6 + length);
      if (opcode === 8) return void socket.end();
      socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    }
  });
});

server.listen(port);
if (tcpPort > 0) createTcpServer((socket) => socket.on("error", () => socket.destroy()).pipe(socket)).listen(tcpPort);

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
