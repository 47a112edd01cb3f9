import {
  addApiDocument,
  addHealth,
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
import { addContent, type ContentParts } from "./content-routes.ts";
import type { Video } from "./video-row.ts";

export interface VideoServiceParts extends ContentParts {
  readonly checks: Readonly<Record<string, Check>>;
}

/** A whole upload may take as long as the gateway waits for it. */
const REQUEST_TIMEOUT_MS = 60_000;

const placeCursor = cursorOf(z.tuple([z.iso.datetime(), z.uuid()]));

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
      const [createdAt, id] = after === undefined ? [] : placeCursor.read(after);
      const place = createdAt === undefined || id === undefined ? undefined : { createdAt, id };
      // One more than asked for tells whether there is a next page.
      const found = await videos.list({ viewer: sub, limit: limit + 1, after: place });
      const { items, next } = pageOf(found, limit, (last) => placeCursor.write([last.createdAt, last.id]));
      return { videos: items, next };
    },
  });
}

function addVideos(server: FastifyInstance, { videos, api }: VideoServiceParts): void {
  server.route<{ Body: { title: string; description: string } }>({
    ...api.operation("createVideo"),
    async handler(request, reply) {
      const { sub } = readCaller(request.headers);
      const video = await videos.create({ owner: sub, title: request.body.title.trim(), description: request.body.description });
      reply.code(201).header("location", `/api/v1/videos/${video.id}`);
      return video;
    },
  });
  server.route<{ Params: { videoId: string } }>({
    ...api.operation("getVideo"),
    async handler(request) {
      const { sub } = readCaller(request.headers);
      const video = await videos.find(request.params.videoId);
      // A draft of someone else's looks like one that is not there.
      return orNotFound(video !== undefined && (video.status === "published" || video.owner === sub) ? video : undefined);
    },
  });
}

function orNotFound(video: Video | undefined): Video {
  if (video === undefined) throw new Problem(404, "Not found", { detail: "no such video" });
  return video;
}
