import type { IncomingHttpHeaders } from "node:http";
import { forwardedHeaders, fromTimestamp, type GrpcClient, remainingMs, type Timestamp } from "@platform/service-kit";

/** The video service's admin API, called on behalf of a moderator. */
export interface Moderation {
  /** What waits for a moderator. @throws Problem 403 for who may not, 400 for an `after` that is none. */
  queue(page: { limit: number; after: string | undefined }, headers: IncomingHttpHeaders): Promise<object>;
  /** @throws Problem as the video service means it: 403 for who may not, 404 for what is not there, 409 for a video without content. */
  publish(videoId: string, headers: IncomingHttpHeaders): Promise<object>;
  takeDown(videoId: string, headers: IncomingHttpHeaders): Promise<object>;
}

/** As `video-admin.proto` has it. */
interface Video {
  readonly id: string;
  readonly owner: string;
  readonly ownerName: string;
  readonly title: string;
  readonly description: string;
  readonly status: string;
  readonly createdAt: Timestamp;
  readonly publishedAt: Timestamp | null;
  readonly content: { readonly mediaType: string; readonly sizeBytes: number; readonly sha256: string } | null;
}

interface WaitingVideos {
  readonly videos: readonly Video[];
  readonly next: string;
}

const TIMEOUT_MS = 8_000;

/** Who may moderate is decided by the video service and its proxy, by this service's identity and the token that is passed on. */
export function createModeration(client: Pick<GrpcClient, "call">): Moderation {
  const call = (method: string, request: object, headers: IncomingHttpHeaders) =>
    client.call({ method, request, headers: forwardedHeaders(headers), timeoutMs: remainingMs(headers, TIMEOUT_MS) });
  return {
    async queue({ limit, after = "" }, headers) {
      const { videos, next } = (await call("ListWaitingVideos", { limit, after }, headers)) as WaitingVideos;
      return { videos: videos.map(toVideo), next: next === "" ? null : next };
    },
    publish: async (videoId, headers) => toVideo((await call("PublishVideo", { videoId }, headers)) as Video),
    takeDown: async (videoId, headers) => toVideo((await call("TakeDownVideo", { videoId }, headers)) as Video),
  };
}

/** The same video as the API's JSON has it. */
function toVideo({ id, owner, ownerName, title, description, status, createdAt, publishedAt, content }: Video): object {
  return {
    id,
    owner,
    ownerName: ownerName === "" ? null : ownerName,
    title,
    description,
    status: status.replace("STATUS_", "").toLowerCase().replace("_", "-"),
    createdAt: fromTimestamp(createdAt),
    publishedAt: publishedAt === null ? null : fromTimestamp(publishedAt),
    content: content === null ? null : { mediaType: content.mediaType, sizeBytes: content.sizeBytes, sha256: content.sha256 },
  };
}
