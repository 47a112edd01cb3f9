import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { type ApiDocument, type Caller, Problem, readCaller } from "@platform/service-kit";
import type { FastifyInstance, FastifyReply } from "fastify";
import { select } from "./content/conditions.ts";
import { inspect, mediaTypes, tooLarge } from "./content/inspect.ts";
import type { ContentStore } from "./content/store.ts";
import { type Content, isVisible, type Video } from "./video-row.ts";
import type { Videos } from "./videos.ts";

export interface ContentParts {
  readonly videos: Videos;
  readonly store: ContentStore;
  readonly api: ApiDocument;
  readonly maxBytes: number;
}

interface VideoParams {
  readonly Params: { readonly videoId: string };
}

/** Adds upload and stream of a video's bytes. */
export function addContent(server: FastifyInstance, parts: ContentParts): void {
  // In a scope of its own: here, and only here, a body is bytes that are not read ahead.
  server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser([...mediaTypes], (_, payload, done) => done(null, payload));
    addUpload(scope, parts);
  });
  server.route<VideoParams>({
    ...parts.api.operation("streamContent"),
    method: ["GET", "HEAD"],
    async handler(request, reply) {
      const caller = readCaller(request.headers);
      const video = await parts.videos.find(request.params.videoId);
      const visible = video !== undefined && isVisible(video, caller) ? video : undefined;
      if (visible?.content == null) throw new Problem(404, "Not found", { detail: "no such content" });
      return sendContent(reply, visible.content, parts.store);
    },
  });
}

function addUpload(server: FastifyInstance, { videos, store, api, maxBytes }: ContentParts): void {
  server.route<VideoParams & { Body: IncomingMessage }>({
    ...api.operation("uploadContent"),
    async handler(request) {
      const caller = readCaller(request.headers);
      const { videoId } = request.params;
      checkDraft(await videos.find(videoId), caller);
      if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
      const mediaType = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
      // What is refused in the middle is read to its end and thrown away: a connection that is cut would take the answer with it.
      const inspection = inspect(request.body.iterator({ destroyOnReturn: false }), mediaType, maxBytes);
      const key = await store.write(inspection.bytes);
      const set = await videos.setContent(videoId, caller.sub, { key, mediaType, ...inspection.result() });
      const unused = set === undefined ? key : set.replaced;
      if (unused !== undefined)
        await store.remove(unused).catch((error: unknown) => request.log.warn({ err: error }, "a content that nobody needs stays"));
      if (set === undefined) throw notADraft();
      return set.video;
    },
  });
}

/** What someone else keeps as a draft looks like what is not there. */
function checkDraft(video: Video | undefined, caller: Caller): void {
  if (video === undefined || !isVisible(video, caller)) throw new Problem(404, "Not found", { detail: "no such video" });
  if (video.owner !== caller.sub) throw new Problem(403, "Forbidden", { detail: "the video is somebody else's" });
  if (video.status !== "draft") throw notADraft();
}

function notADraft(): Problem {
  return new Problem(409, "Conflict", { detail: "the video is no draft any more" });
}

function sendContent(reply: FastifyReply, content: Content, store: ContentStore): FastifyReply {
  const { request } = reply;
  const etag = `"${content.sha256}"`;
  const chosen = select(request.headers, etag, content.sizeBytes);
  reply.headers({ etag, "accept-ranges": "bytes", "cache-control": "private, no-cache", vary: "authorization" });
  if (chosen.kind === "not-modified") return reply.code(304).send();
  if (chosen.kind === "unsatisfiable") {
    reply.header("content-range", `bytes */${content.sizeBytes}`);
    throw new Problem(416, "Range not satisfiable", { detail: `there are ${content.sizeBytes} bytes` });
  }
  const range = chosen.kind === "part" ? chosen.range : { start: 0, end: content.sizeBytes - 1 };
  if (chosen.kind === "part") reply.code(206).header("content-range", `bytes ${range.start}-${range.end}/${content.sizeBytes}`);
  // Uploaded by users: a browser takes it for a video or for nothing.
  reply.headers({
    "content-type": content.mediaType,
    "content-length": range.end + 1 - range.start,
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
  });
  return reply.send(request.method === "HEAD" ? "" : Readable.from(store.read(content.key, range), { objectMode: false }));
}
