import {
  addHealth,
  type ApiDocument,
  type Caller,
  type Check,
  createServer,
  Problem,
  readCaller,
  type ServerOptions,
} from "@platform/service-kit";
import type { FastifyInstance } from "fastify";
import type { Moderation } from "./moderation.ts";
import type { User, Users } from "./users.ts";

export interface UserServiceParts {
  readonly users: Users;
  readonly moderation: Moderation;
  readonly api: ApiDocument;
  readonly checks: Readonly<Record<string, Check>>;
}

/** The user service's HTTP server: sign-up, profiles, moderation. */
export function createUserService(parts: UserServiceParts, options: Omit<ServerOptions, "name">): FastifyInstance {
  const server = createServer({ ...options, name: "user-service" });
  addHealth(server, parts.checks);
  addProfiles(server, parts);
  addModeration(server, parts);
  return server;
}

function addProfiles(server: FastifyInstance, { users, api }: UserServiceParts): void {
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
      const user = await users.findBySubject(caller.sub);
      if (user === undefined) throw new Problem(404, "Not found", { detail: "not signed up yet" });
      return toProfile(user, caller);
    },
  });
  server.route<{ Params: { userId: string } }>({
    ...api.operation("getUser"),
    async handler(request) {
      readCaller(request.headers);
      const user = await users.findById(request.params.userId);
      if (user === undefined) throw new Problem(404, "Not found", { detail: "no such user" });
      return { id: user.id, displayName: user.displayName };
    },
  });
}

function addModeration(server: FastifyInstance, { moderation, api }: UserServiceParts): void {
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
