import {
  addApiDocument,
  addHealth,
  type ApiDocument,
  type Check,
  createServer,
  cursorOf,
  pageOf,
  Problem,
  readCaller,
  type ServerOptions,
} from "@platform/service-kit";
import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { Room } from "./rooms.ts";
import type { SessionParts } from "./session.ts";
import { SOCKET_PATH } from "./sockets.ts";

export interface ChatServiceParts extends Omit<SessionParts, "feed"> {
  readonly api: ApiDocument;
  readonly checks: Readonly<Record<string, Check>>;
}

interface InRoom {
  Params: { roomId: string };
}

const roomCursor = cursorOf(z.tuple([z.iso.datetime(), z.uuid()]));
const messageCursor = cursorOf(z.tuple([z.int().min(1)]));

/** The chat service's HTTP server: rooms, history, unread. Live messages come over its WebSocket (`Sockets`). */
export function createChatService(parts: ChatServiceParts, options: Omit<ServerOptions, "name">): FastifyInstance {
  const server = createServer({ ...options, name: "chat-service" });
  addHealth(server, parts.checks);
  addApiDocument(server, parts.api);
  addRooms(server, parts);
  addMembership(server, parts);
  addMessages(server, parts);
  // Only an upgrade gets further than this.
  server.get(SOCKET_PATH, async (_, reply) => {
    reply.headers({ upgrade: "websocket", connection: "upgrade" });
    throw new Problem(426, "Upgrade required", { detail: "this is a WebSocket" });
  });
  return server;
}

function addRooms(server: FastifyInstance, { rooms, api }: ChatServiceParts): void {
  server.route<{ Body: { name: string } }>({
    ...api.operation("createRoom"),
    async handler(request, reply) {
      const { sub } = readCaller(request.headers);
      const room = await rooms.create({ name: request.body.name.trim(), by: sub });
      reply.code(201).header("location", `/api/v1/chat/rooms/${room.id}`);
      return room;
    },
  });
  server.route<{ Querystring: { limit: number; after?: string } }>({
    ...api.operation("listRooms"),
    async handler(request) {
      const { limit, after } = request.query;
      const { sub } = readCaller(request.headers);
      const [createdAt, id] = after === undefined ? [] : roomCursor.read(after);
      const place = createdAt === undefined || id === undefined ? undefined : { createdAt, id };
      const found = await rooms.list({ viewer: sub, limit: limit + 1, after: place });
      const { items, next } = pageOf(found, limit, (last) => roomCursor.write([last.createdAt, last.id]));
      return { rooms: items, next };
    },
  });
  server.route<InRoom>({
    ...api.operation("getRoom"),
    handler: async (request) => orNotFound(await rooms.find(request.params.roomId, readCaller(request.headers).sub)),
  });
  server.route({
    ...api.operation("getUnread"),
    handler: async (request) => await rooms.unread(readCaller(request.headers).sub),
  });
}

function addMembership(server: FastifyInstance, { rooms, presence, api }: ChatServiceParts): void {
  server.route<InRoom>({
    ...api.operation("joinRoom"),
    handler: async (request) => orNotFound(await rooms.join(request.params.roomId, readCaller(request.headers).sub)),
  });
  server.route<InRoom>({
    ...api.operation("leaveRoom"),
    async handler(request) {
      const { sub } = readCaller(request.headers);
      await rooms.leave(request.params.roomId, sub);
      return orNotFound(await rooms.find(request.params.roomId, sub));
    },
  });
  server.route<InRoom & { Body: { seq: number } }>({
    ...api.operation("markRead"),
    async handler(request) {
      const { sub } = readCaller(request.headers);
      await rooms.read(request.params.roomId, sub, request.body.seq);
      return orNotFound(await rooms.find(request.params.roomId, sub));
    },
  });
  server.route<InRoom>({
    ...api.operation("getPresence"),
    async handler(request) {
      await mustBeIn({ rooms }, request.params.roomId, readCaller(request.headers).sub);
      return { online: await presence.online(request.params.roomId) };
    },
  });
}

function addMessages(server: FastifyInstance, { rooms, messages, api }: ChatServiceParts): void {
  server.route<InRoom & { Querystring: { limit: number; after?: string } }>({
    ...api.operation("listMessages"),
    async handler(request) {
      const { limit, after } = request.query;
      const { roomId } = request.params;
      await mustBeIn({ rooms }, roomId, readCaller(request.headers).sub);
      const [beforeSeq] = after === undefined ? [] : messageCursor.read(after);
      const found = await messages.history({ roomId, beforeSeq, limit: limit + 1 });
      const { items, next } = pageOf(found, limit, (last) => messageCursor.write([last.seq]));
      return { messages: items, next };
    },
  });
  server.route<InRoom & { Body: { text: string; clientId?: string } }>({
    ...api.operation("postMessage"),
    async handler(request, reply) {
      const { sub, name } = readCaller(request.headers);
      const { text, clientId } = request.body;
      const { roomId } = request.params;
      const { message, created } = await messages.post({ roomId, author: sub, fallbackName: name ?? sub, text: text.trim(), clientId });
      reply.code(created ? 201 : 200);
      return message;
    },
  });
}

/** @throws Problem */
async function mustBeIn({ rooms }: Pick<ChatServiceParts, "rooms">, roomId: string, subject: string): Promise<void> {
  if (!orNotFound(await rooms.find(roomId, subject)).joined) throw new Problem(403, "Forbidden", { detail: "join the room first" });
}

function orNotFound(room: Room | undefined): Room {
  if (room === undefined) throw new Problem(404, "Not found", { detail: "no such room" });
  return room;
}
