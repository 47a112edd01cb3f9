import { randomUUID } from "node:crypto";
import { type Broker, createOutbox, startConsumer, startRelay } from "@platform/events";
import { type ApiDocument, type Check, currentTraceparent, type Pool } from "@platform/service-kit";
import type { FastifyInstance } from "fastify";
import { createHandlers } from "./handlers.ts";
import { createMessages } from "./messages.ts";
import { createPresence } from "./presence.ts";
import { RoomFeed } from "./room-feed.ts";
import { createRooms } from "./rooms.ts";
import { createChatService } from "./server.ts";
import { type SocketLimits, Sockets } from "./sockets.ts";

export interface ChatParts {
  /** Closed with the server. */
  readonly pool: Pool;
  /** Gets a server's own log, and is closed with it. */
  readonly openBroker: (log: FastifyInstance["log"]) => Promise<Broker>;
  readonly api: ApiDocument;
  readonly checks: Readonly<Record<string, Check>>;
  readonly limits?: Partial<SocketLimits>;
}

/** A beat is a row's update; three missed and the replica counts as gone. */
const BEAT_MS = 10_000;

/** One replica, all its parts connected. Closing the server ends them in order: sockets, requests, events, broker, database. */
export async function createChat(
  { pool, openBroker, api, checks, limits }: ChatParts,
  options: Parameters<typeof createChatService>[1],
): Promise<{ readonly server: FastifyInstance; readonly ready: Promise<unknown> }> {
  const outbox = createOutbox({ source: "chat-service", traceparent: currentTraceparent });
  const [rooms, messages, presence] = [createRooms(pool), createMessages(pool, outbox), createPresence(pool, outbox, randomUUID())];
  const server = createChatService({ rooms, messages, presence, api, checks }, options);
  const { log } = server;
  const broker = await openBroker(log);
  const relay = startRelay({ pool, broker, log });
  const consumer = startConsumer({ pool, broker, group: "chat-service", handlers: createHandlers(outbox), log });
  const feed = new RoomFeed({ broker, rooms, messages, presence, log });
  const sockets = new Sockets(server, { rooms, messages, presence, feed }, limits);
  const beating = setInterval(() => {
    presence.beat().catch((error: unknown) => log.warn({ err: error }, "this replica could not say that it lives; trying on"));
  }, BEAT_MS);
  server.addHook("preClose", async () => {
    clearInterval(beating);
    await sockets.stop();
    await presence.end().catch((error: unknown) => log.warn({ err: error }, "the connections are shown as there a little longer"));
  });
  server.addHook("onClose", async () => {
    await Promise.all([feed.stop(), consumer.stop()]);
    await relay.stop();
    await broker.close();
    await pool.end();
  });
  return { server, ready: Promise.all([feed.ready, consumer.ready]) };
}
