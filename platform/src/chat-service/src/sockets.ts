import { randomUUID } from "node:crypto";
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { Problem } from "@platform/service-kit";
import type { FastifyInstance } from "fastify";
import { type WebSocket, WebSocketServer } from "ws";
import { CLOSE, PROTOCOL } from "./frames.ts";
import { Session, type SessionParts } from "./session.ts";
import { readSocketCaller, type SocketCaller } from "./socket-token.ts";

export const SOCKET_PATH = "/api/v1/chat/socket";

export interface SocketLimits {
  /** How often a connection is asked whether it lives. Shorter than proxies end what is silent. */
  readonly pingMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerCaller: number;
  /** What a client may leave unread before it is cut. */
  readonly maxUnreadBytes: number;
  /** How long closing handshakes may take when the service stops. */
  readonly closeMs: number;
}

const LIMITS: SocketLimits = {
  pingMs: 25_000,
  maxConnections: 10_000,
  maxConnectionsPerCaller: 20,
  maxUnreadBytes: 1_048_576,
  closeMs: 2_000,
};

interface Connection {
  readonly socket: WebSocket;
  readonly session: Session;
  isAlive: boolean;
}

/** The service's WebSockets, on its HTTP server. */
export class Sockets {
  readonly #server: FastifyInstance;
  readonly #parts: SessionParts;
  readonly #limits: SocketLimits;
  readonly #protocol = new WebSocketServer({
    noServer: true,
    maxPayload: 16 * 1024,
    perMessageDeflate: false,
    // Never the second one: it is the token.
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  readonly #connections = new Set<Connection>();
  readonly #countOf = new Map<string, number>();
  readonly #ending = new Set<Promise<void>>();
  readonly #pinging: NodeJS.Timeout;
  #isStopping = false;

  constructor(server: FastifyInstance, parts: SessionParts, limits: Partial<SocketLimits> = {}) {
    this.#server = server;
    this.#parts = parts;
    this.#limits = { ...LIMITS, ...limits };
    this.#pinging = setInterval(() => this.#ping(), this.#limits.pingMs);
    server.server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  get count(): number {
    return this.#connections.size;
  }

  /** Tells every client to come again elsewhere (1001), and ends those that don't answer in time. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#pinging);
    for (const { socket } of this.#connections) socket.close(CLOSE.goingAway, "the service stops; come again");
    const late = setTimeout(() => {
      for (const { socket } of this.#connections) socket.terminate();
    }, this.#limits.closeMs);
    while (this.#ending.size > 0 || this.#connections.size > 0) {
      await Promise.race([...this.#ending, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    clearTimeout(late);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    try {
      const caller = this.#admit(request);
      this.#protocol.handleUpgrade(request, socket, head, (opened) => this.#open(opened, caller));
    } catch (error) {
      refuse(socket, error instanceof Problem ? error : new Problem(500, "Internal server error"));
    }
  }

  /** @throws Problem */
  #admit(request: IncomingMessage): SocketCaller {
    if (request.url?.split("?")[0] !== SOCKET_PATH) throw new Problem(404, "Not found");
    if (this.#isStopping || this.#connections.size >= this.#limits.maxConnections) throw new Problem(503, "Service unavailable");
    const caller = readSocketCaller(request.headers);
    if (caller.expiresAt <= Date.now()) throw new Problem(401, "Unauthorized", { detail: "the token has ended" });
    if ((this.#countOf.get(caller.sub) ?? 0) >= this.#limits.maxConnectionsPerCaller)
      throw new Problem(429, "Too many requests", { detail: "too many connections" });
    return caller;
  }

  #open(socket: WebSocket, caller: SocketCaller): void {
    const id = randomUUID();
    const log = this.#server.log.child({ connection: id });
    const line = {
      send: (text: string) => {
        if (socket.bufferedAmount > this.#limits.maxUnreadBytes) return socket.terminate();
        socket.send(text);
      },
      close: (code: number, reason: string) => socket.close(code, reason),
    };
    const connection: Connection = { socket, session: new Session({ id, caller, parts: this.#parts, line, log }), isAlive: true };
    this.#connections.add(connection);
    this.#countOf.set(caller.sub, (this.#countOf.get(caller.sub) ?? 0) + 1);
    log.info({ subject: caller.sub }, "connected");
    // No timer is longer than 24 days.
    const lifeMs = Math.min(caller.expiresAt - Date.now(), 2 ** 31 - 1);
    const expiry = setTimeout(() => socket.close(CLOSE.tokenEnded, "the token has ended"), lifeMs);
    socket.on("pong", () => (connection.isAlive = true));
    socket.on("message", (text, isBinary) => {
      if (isBinary) socket.close(CLOSE.policy, "text frames only");
      else connection.session.receive(String(text));
    });
    socket.on("error", (error) => log.info({ reason: error.message }, "the connection broke"));
    socket.on("close", (code) => {
      clearTimeout(expiry);
      this.#connections.delete(connection);
      const left = (this.#countOf.get(caller.sub) ?? 1) - 1;
      if (left === 0) this.#countOf.delete(caller.sub);
      else this.#countOf.set(caller.sub, left);
      log.info({ code }, "disconnected");
      this.#end(connection);
    });
  }

  #end({ session }: Connection): void {
    const ending = session.end(this.#isStopping).catch((error: unknown) => {
      // It is removed with this replica at the latest.
      this.#server.log.warn({ err: error }, "a connection that has ended is still shown as there");
    });
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }

  #ping(): void {
    for (const connection of this.#connections) {
      if (!connection.isAlive) {
        connection.socket.terminate();
        continue;
      }
      connection.isAlive = false;
      connection.socket.ping();
    }
  }
}

/** An answer to a handshake that is no handshake. */
function refuse(socket: Duplex, problem: Problem): void {
  const detail = problem.message === problem.title ? {} : { detail: problem.message };
  const body = JSON.stringify({ type: "about:blank", title: problem.title, status: problem.status, ...detail });
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? "Error"}`,
      "content-type: application/problem+json",
      `content-length: ${Buffer.byteLength(body)}`,
      "cache-control: no-store",
      "connection: close",
      "",
      body,
    ].join("\r\n"),
  );
}
