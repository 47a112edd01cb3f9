import {
  addApiDocument,
  addHealth,
  type ApiDocument,
  type Caller,
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
import type { Moderation } from "./moderation.ts";
import type { User, Users } from "./users.ts";

export interface UserServiceParts {
  readonly users: Users;
  readonly moderation: Moderation;
  readonly api: ApiDocument;
  readonly checks: Readonly<Record<string, Check>>;
}

const nameCursor = cursorOf(z.tuple([z.string().max(1_000), z.uuid()]));

/** The user service's HTTP server: sign-up, profiles, search, moderation. */
export function createUserService(parts: UserServiceParts, options: Omit<ServerOptions, "name">): FastifyInstance {
  const server = createServer({ ...options, name: "user-service" });
  addHealth(server, parts.checks);
  addApiDocument(server, parts.api);
  addOwnProfile(server, parts);
  addOthers(server, parts);
  addModeration(server, parts);
  return server;
}

function addOwnProfile(server: FastifyInstance, { users, api }: UserServiceParts): void {
  server.route<{ Body: { displayName: string } }>({
    ...api.operation("signUp"),
    async handler(request, reply) {
      const caller = readCaller(request.headers);
      const displayName = request.body.displayName.trim();
      const { user, created } = await users.signUp({ subject: caller.sub, displayName, email: caller.email ?? null });
      reply.code(created ? 201 : 200);
      if (created) reply.header("location", `/api/v1/users/${user.id}`);
      return toProfile(user, caller);
    },
  });
  server.route({
    ...api.operation("getOwnProfile"),
    async handler(request) {
      const caller = readCaller(request.headers);
      return toProfile(orNotSignedUp(await users.findBySubject(caller.sub)), caller);
    },
  });
  server.route<{ Body: { displayName?: string } }>({
    ...api.operation("updateOwnProfile"),
    async handler(request) {
      const caller = readCaller(request.headers);
      return toProfile(orNotSignedUp(await users.update(caller.sub, { displayName: request.body.displayName?.trim() })), caller);
    },
  });
}

function addOthers(server: FastifyInstance, { users, api }: UserServiceParts): void {
  server.route<{ Params: { userId: string } }>({
    ...api.operation("getUser"),
    async handler(request) {
      readCaller(request.headers);
      const user = await users.findById(request.params.userId);
      if (user === undefined) throw new Problem(404, "Not found", { detail: "no such user" });
      return { id: user.id, displayName: user.displayName };
    },
  });
  server.route<{ Querystring: { q?: string; limit: number; after?: string } }>({
    ...api.operation("searchUsers"),
    async handler(request) {
      readCaller(request.headers);
      const { q, limit, after } = request.query;
      const [searchName, id] = after === undefined ? [] : nameCursor.read(after);
      const place = searchName === undefined || id === undefined ? undefined : { searchName, id };
      // One more than asked for tells whether there is a next page.
      const found = await users.search({ part: q, limit: limit + 1, after: place });
      const { items, next } = pageOf(found, limit, (last) => nameCursor.write([last.searchName, last.id]));
      return { users: items.map((user) => ({ id: user.id, displayName: user.displayName })), next };
    },
  });
}

function addModeration(server: FastifyInstance, { moderation, api }: UserServiceParts): void {
  server.route<{ Querystring: { limit: number; after?: string } }>({
    ...api.operation("moderationQueue"),
    handler: async ({ query: { limit, after }, headers }) => moderation.queue({ limit, after }, headers),
  });
  server.route<{ Params: { videoId: string } }>({
    ...api.operation("moderatePublish"),
    handler: async (request) => moderation.publish(request.params.videoId, request.headers),
  });
  server.route<{ Params: { videoId: string } }>({
    ...api.operation("moderateTakeDown"),
    handler: async (request) => moderation.takeDown(request.params.videoId, request.headers),
  });
}

function toProfile(user: User, caller: Caller): User & { readonly role: Caller["role"] } {
  return { ...user, role: caller.role };
}

function orNotSignedUp(user: User | undefined): User {
  if (user === undefined) throw new Problem(404, "Not found", { detail: "not signed up yet" });
  return user;
}
