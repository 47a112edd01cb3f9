import { type GrpcHandler, Problem, readCaller, toTimestamp } from "@platform/service-kit";
import * as z from "zod";
import type { Video } from "./video-row.ts";
import type { Videos } from "./videos.ts";

const Request = z.object({ videoId: z.uuid() });

/**
 * The methods of `video-admin.proto`. Who may call them is the mesh's decision; the role is looked at again, because a mistake in a policy
 * must not publish anything.
 */
export function adminMethods(videos: Pick<Videos, "find" | "publish" | "takeDown">): Readonly<Record<string, GrpcHandler>> {
  const method =
    (name: string, apply: (id: string) => Promise<Video | undefined>): GrpcHandler =>
    async (request, { headers, log }) => {
      const { role, sub } = readCaller(headers);
      if (role !== "admin") throw new Problem(403, "Forbidden", { detail: "role admin is needed" });
      const { data } = Request.safeParse(request);
      if (data === undefined) throw new Problem(400, "Bad request", { detail: "video_id is no id of a video" });
      const video = (await apply(data.videoId)) ?? (await explain(videos, data.videoId));
      log.info({ operation: name, videoId: video.id, by: sub }, "moderated");
      return toMessage(video);
    };
  return { PublishVideo: method("publish", videos.publish), TakeDownVideo: method("takeDown", videos.takeDown) };
}

async function explain(videos: Pick<Videos, "find">, id: string): Promise<never> {
  if ((await videos.find(id)) === undefined) throw new Problem(404, "Not found", { detail: "no such video" });
  throw new Problem(409, "Conflict", { detail: "the video has no content yet" });
}

/** As it is on the wire. */
function toMessage({ id, owner, title, description, status, createdAt, publishedAt, content }: Video): object {
  return {
    id,
    owner,
    title,
    description,
    status: `STATUS_${status.replace("-", "_").toUpperCase()}`,
    createdAt: toTimestamp(createdAt),
    ...(publishedAt !== null && { publishedAt: toTimestamp(publishedAt) }),
    ...(content !== null && { content: { mediaType: content.mediaType, sizeBytes: content.sizeBytes, sha256: content.sha256 } }),
  };
}
