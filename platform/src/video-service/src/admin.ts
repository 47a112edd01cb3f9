import type { IncomingHttpHeaders } from "node:http";
import { type Caller, type GrpcHandler, pageOf, Problem, readCaller, toTimestamp } from "@platform/service-kit";
import * as z from "zod";
import { listCursor } from "./list-cursor.ts";
import type { Video } from "./video-row.ts";
import type { Videos } from "./videos.ts";

const Request = z.object({ videoId: z.uuid() });
const ListRequest = z.object({ limit: z.int().min(0).max(40), after: z.string().max(1_000) });
const DEFAULT_LIMIT = 20;

/**
 * The methods of `video-admin.proto`. Who may call them is the mesh's decision; the role is looked at again, because a mistake in a policy
 * must not publish anything.
 */
export function adminMethods(videos: Pick<Videos, "find" | "listWaiting" | "publish" | "takeDown">): Readonly<Record<string, GrpcHandler>> {
  const method =
    (name: string, apply: (id: string) => Promise<Video | undefined>): GrpcHandler =>
    async (request, { headers, log }) => {
      const { sub } = readModerator(headers);
      const { data } = Request.safeParse(request);
      if (data === undefined) throw new Problem(400, "Bad request", { detail: "video_id is no id of a video" });
      const video = (await apply(data.videoId)) ?? (await explain(videos, data.videoId));
      log.info({ operation: name, videoId: video.id, by: sub }, "moderated");
      return toMessage(video);
    };
  return {
    ListWaitingVideos: (request, { headers }) => listWaiting(videos, request, headers),
    PublishVideo: method("publish", videos.publish),
    TakeDownVideo: method("takeDown", videos.takeDown),
  };
}

async function listWaiting(videos: Pick<Videos, "listWaiting">, request: unknown, headers: IncomingHttpHeaders): Promise<object> {
  readModerator(headers);
  const { data } = ListRequest.safeParse(request);
  if (data === undefined) throw new Problem(400, "Bad request", { detail: "limit is at most 40" });
  const limit = data.limit === 0 ? DEFAULT_LIMIT : data.limit;
  const after = listCursor.read(data.after === "" ? undefined : data.after);
  // One more than asked for tells whether there is a next page.
  const { items, next } = pageOf(await videos.listWaiting({ limit: limit + 1, after }), limit, listCursor.write);
  return { videos: items.map(toMessage), next: next ?? "" };
}

function readModerator(headers: IncomingHttpHeaders): Caller {
  const caller = readCaller(headers);
  if (caller.role !== "admin") throw new Problem(403, "Forbidden", { detail: "role admin is needed" });
  return caller;
}

async function explain(videos: Pick<Videos, "find">, id: string): Promise<never> {
  if ((await videos.find(id)) === undefined) throw new Problem(404, "Not found", { detail: "no such video" });
  throw new Problem(409, "Conflict", { detail: "the video has no content yet" });
}

/** As it is on the wire. */
function toMessage({ id, owner, ownerName, title, description, status, createdAt, publishedAt, content }: Video): object {
  return {
    id,
    owner,
    ownerName: ownerName ?? "",
    title,
    description,
    status: `STATUS_${status.replace("-", "_").toUpperCase()}`,
    createdAt: toTimestamp(createdAt),
    ...(publishedAt !== null && { publishedAt: toTimestamp(publishedAt) }),
    ...(content !== null && { content: { mediaType: content.mediaType, sizeBytes: content.sizeBytes, sha256: content.sha256 } }),
  };
}
