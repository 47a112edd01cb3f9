import { addHealth, type ApiDocument, type Check, createServer, Problem, readCaller, type ServerOptions } from "@platform/service-kit";
import type { FastifyInstance } from "fastify";
import { readCursor, writeCursor } from "./cursor.ts";
import type { Video, Videos } from "./videos.ts";

export interface VideoServiceParts {
  readonly videos: Videos;
  readonly api: ApiDocument;
  readonly checks: Readonly<Record<string, Check>>;
}

/** The video service's HTTP server: list, create, and the admin API. */
export function createVideoService(parts: VideoServiceParts, options: Omit<ServerOptions, "name">): FastifyInstance {
  const server = createServer({ ...options, name: "video-service" });
  addHealth(server, parts.checks);
  addVideos(server, parts);
  addAdmin(server, parts);
  return server;
}

function addVideos(server: FastifyInstance, { videos, api }: VideoServiceParts): void {
  server.route<{ Querystring: { limit: number; after?: string } }>({
    ...api.operation("listVideos"),
    async handler(request) {
      const { limit, after } = request.query;
      const { sub } = readCaller(request.headers);
      // One more than asked for tells whether there is a next page.
      const more = await videos.list({ viewer: sub, limit: limit + 1, after: after === undefined ? undefined : readCursor(after) });
      const page = more.slice(0, limit);
      const last = page.at(-1);
      return { videos: page, next: more.length > limit && last !== undefined ? writeCursor(last) : null };
    },
  });
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

/** Who may call these is the mesh's decision; the role is looked at again, because a mistake in a policy must not publish anything. */
function addAdmin(server: FastifyInstance, { videos, api }: VideoServiceParts): void {
  const change = { publishVideo: videos.publish, takeDownVideo: videos.takeDown };
  for (const [operation, apply] of Object.entries(change)) {
    server.route<{ Params: { videoId: string } }>({
      ...api.operation(operation),
      async handler(request) {
        const { role, sub } = readCaller(request.headers);
        if (role !== "admin") throw new Problem(403, "Forbidden", { detail: "role admin is needed" });
        const video = orNotFound(await apply(request.params.videoId));
        request.log.info({ operation, videoId: video.id, by: sub }, "moderated");
        return video;
      },
    });
  }
}

function orNotFound(video: Video | undefined): Video {
  if (video === undefined) throw new Problem(404, "Not found", { detail: "no such video" });
  return video;
}
