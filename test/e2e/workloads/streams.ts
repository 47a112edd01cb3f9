/**
 * A workload for tests of what stays open. Each of its streams says something ten times a second, until the workload is told to end: then for
 * LINGER_SECONDS more, and at last that it is complete. SSE, WebSocket, download and slow POST on 8080, a gRPC server stream on 9090.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

const PERIOD_MS = 100;
const COMPLETE = "complete";
const lingerMs = Number(process.env["LINGER_SECONDS"] ?? 0) * 1000;
const passOn = process.env["PASS_ON"];
const lastCall = process.env["LAST_CALL"];
const ending = Promise.withResolvers<void>();
let open = 0;

/** Says it again and again, and once more at the end. */
function keepSaying(say: (text: string) => void, end: () => void, isGone: () => boolean): void {
  open += 1;
  let count = 0;
  const timer = setInterval(() => {
    if (isGone()) finish();
    else say(`${count++}`);
  }, PERIOD_MS);
  let isFinished = false;
  const finish = () => {
    if (isFinished) return;
    isFinished = true;
    clearInterval(timer);
    open -= 1;
    if (isGone()) return;
    say(COMPLETE);
    end();
  };
  void ending.promise.then(finish);
}

const server = createServer((incoming, response) => {
  const path = new URL(incoming.url ?? "/", "http://streams").pathname;
  const isGone = () => response.destroyed;
  if (path === "/health" || path === "/last") return void response.end("ok");
  if (path === "/open") return void response.end(String(open));
  if (passOn !== undefined) return pass(incoming, response, passOn);
  if (path === "/slow") return void ending.promise.then(() => response.end(COMPLETE));
  if (path === "/sse") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    return keepSaying(
      (text) => response.write(`data: ${text}\n\n`),
      () => response.end(),
      isGone,
    );
  }
  const block = Buffer.alloc(64 * 1024, "x");
  response.writeHead(200, { "content-type": "application/octet-stream" });
  keepSaying(
    (text) => response.write(text === COMPLETE ? text : block),
    () => response.end(),
    isGone,
  );
});

function pass(incoming: IncomingMessage, response: ServerResponse, to: string): void {
  const outgoing = request(`${to}${incoming.url}`, { agent: false }, (got) => {
    response.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(response);
    got.on("error", () => response.destroy());
  });
  outgoing.on("error", () => response.destroy());
  outgoing.end();
}

/** Text frames without a mask, as a server sends them (RFC 6455). */
server.on("upgrade", (incoming, socket: Socket) => {
  const accept = createHash("sha1").update(`${incoming.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
  socket.on("error", () => socket.destroy());
  socket.resume();
  keepSaying(
    (text) => socket.write(Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)])),
    () => socket.end(),
    () => socket.destroyed,
  );
});

/** One field of type string, number 1, in each message. */
const grpc = createHttp2Server();
grpc.on("stream", (stream: ServerHttp2Stream) => {
  stream.on("error", () => stream.destroy());
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  const say = (text: string) => stream.write(Buffer.from([0, 0, 0, 0, text.length + 2, 0x0a, text.length, ...Buffer.from(text)]));
  keepSaying(
    say,
    () => stream.end(),
    () => stream.destroyed,
  );
});

server.listen(8080);
grpc.listen(9090);

process.on("SIGTERM", () => {
  if (lastCall !== undefined) sayFarewell(lastCall);
  setTimeout(() => {
    ending.resolve();
    server.close();
    // A connection whose stream has ended would keep the process for as long as the proxy keeps it.
    setInterval(() => server.closeIdleConnections(), PERIOD_MS).unref();
    grpc.close();
  }, lingerMs);
});

function sayFarewell(url: string): void {
  const said = request(url, { agent: false }, (response) => {
    response.resume();
    console.log(`the last call: ${response.statusCode}`);
  });
  said.on("error", (error: NodeJS.ErrnoException) => console.log(`the last call: ${error.code}`));
  said.end();
}
