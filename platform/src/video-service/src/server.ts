import {
  addApiDocument,
  addHealth,
  type Check,
  createServer,
  pageOf,
  Problem,
  readCaller,
  type ServerOptions,
} from "@platform/service-kit";
import type { FastifyInstance } from "fastify";
import { addContent, type ContentParts } from "./content-routes.ts";
import { listCursor } from "./list-cursor.ts";
import { isVisible, type Video } from "./video-row.ts";

export interface VideoServiceParts extends ContentParts {
  readonly checks: Readonly<Record<string, Check>>;
}

/** A whole upload may take as long as the gateway waits for it. */
const REQUEST_TIMEOUT_MS = 60_000;

/** The video service's HTTP server: list, create, upload and stream. The admin API is gRPC (admin.ts). */
export function createVideoService(parts: VideoServiceParts, options: Omit<ServerOptions, "name">): FastifyInstance {
  const server = createServer({ requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options, name: "video-service" });
  addHealth(server, parts.checks);
  addApiDocument(server, parts.api);
  addList(server, parts);
  addVideos(server, parts);
  addContent(server, parts);
  return server;
}

function addList(server: FastifyInstance, { videos, api }: VideoServiceParts): void {
  server.route<{ Querystring: { limit: number; after?: string } }>({
    ...api.operation("listVideos"),
    async handler(request) {
      const { limit, after } = request.query;
      const { sub } = readCaller(request.headers);
      // One more than asked for tells whether there is a next page.
      const found = await videos.list({ viewer: sub, limit: limit + 1, after: listCursor.read(after) });
      const { items, next } = pageOf(found, limit, listCursor.write);
      return { videos: items, next };
    },
  });
}

function addVideos(server: FastifyInstance, { videos, api }: VideoServiceParts): void {
  server.route<{ Body: { title: string; description: string } }>({
    ...api.operation("createVideo"),
    async handler(request, reply) {
      const { sub: owner, name } = readCaller(request.headers);
      const { title, description } = request.body;
      const video = await videos.create({ owner, ownerName: name?.trim() || null, title: title.trim(), description });
      reply.code(201).header("location", `/api/v1/videos/${video.id}`);
      return video;
    },
  });
  server.route<{ Params: { videoId: string } }>({
    ...api.operation("getVideo"),
    async handler(request) {
      const caller = readCaller(request.headers);
      const video = await videos.find(request.params.videoId);
      // A draft of someone else's looks like one that is not there.
      return orNotFound(video !== undefined && isVisible(video, caller) ? video : undefined);
    },
  });
}

function orNotFound(video: Video | undefined): Video {
  if (video === undefined) throw new Problem(404, "Not found", { detail: "no such video" });
  return video;
}
