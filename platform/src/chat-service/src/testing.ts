import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { BrokerStandIn } from "@platform/broker/testing";
import type { StandIn } from "@platform/database/testing";
import { openBroker } from "@platform/events";
import { openPool, readApiDocument } from "@platform/service-kit";
import { WebSocket } from "ws";
import { createChat } from "./chat.ts";
import type { ServerFrame } from "./frames.ts";
import type { SocketLimits } from "./sockets.ts";

/** A token as the proxy lets through; its signature is none. */
export function tokenOf(sub: string, claims: object = {}): string {
  const payload = { sub, exp: Math.floor(Date.now() / 1_000) + 600, ...claims };
  return `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.c2ln`;
}

export function bearer(sub: string): { authorization: string } {
  return { authorization: `Bearer ${tokenOf(sub)}` };
}

export type Replica = Awaited<ReturnType<typeof startReplica>>;

/** One replica on a port of its own, on a real database and broker. */
export async function startReplica(
  database: StandIn,
  broker: BrokerStandIn,
  over: { limits?: Partial<SocketLimits>; lines?: string[] } = {},
) {
  const name = "chat-service";
  const config = { EVENTS_BROKER: "nats" as const, EVENTS_URL: broker.serviceUrl(name), EVENTS_CA: broker.ca };
  const pool = openPool({
    url: database.serviceUrl("chats"),
    ca: database.ca,
    poolSize: 8,
    applicationName: "test",
    onIdleError: () => undefined,
  });
  const { server, ready } = await createChat(
    {
      pool,
      openBroker: (log) => openBroker(config, { name, log }),
      api: readApiDocument(),
      checks: {},
      ...(over.limits !== undefined && { limits: over.limits }),
    },
    { version: "v1", logLevel: "info", logTo: { write: (line) => void over.lines?.push(line) } },
  );
  await server.listen({ host: "127.0.0.1", port: 0 });
  await ready;
  const { port } = server.server.address() as AddressInfo;
  return { server, port, url: `ws://127.0.0.1:${port}/api/v1/chat/socket` };
}

/** A client that keeps what it was sent. */
export class Client {
  readonly frames: ServerFrame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (text) => void this.frames.push(JSON.parse(String(text)) as ServerFrame));
    this.closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve({ code, reason: String(reason) })));
  }

  /** @throws where the handshake is refused. */
  static async connect(
    url: string,
    sub: string,
    options: { protocols?: string[]; headers?: Record<string, string> } = {},
  ): Promise<Client> {
    const socket = new WebSocket(url, options.protocols ?? ["chat.v1", `bearer.${tokenOf(sub)}`], { headers: options.headers ?? {} });
    const client = new Client(socket);
    await once(socket, "open");
    return client;
  }

  say(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  of<Type extends ServerFrame["type"]>(type: Type): Extract<ServerFrame, { type: Type }>[] {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { type: Type }> => frame.type === type);
  }

  texts(): string[] {
    return this.of("message").map(({ message }) => message.text);
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}
