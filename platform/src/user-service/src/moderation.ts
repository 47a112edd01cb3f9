import type { IncomingHttpHeaders } from "node:http";
import { forwardedHeaders, fromTimestamp, type GrpcClient, remainingMs, type Timestamp } from "@platform/service-kit";

/** The video service's admin API, called on behalf of a moderator. */
export interface Moderation {
  /** @throws Problem as the video service means it: 403 for who may not, 404 for what is not there, 409 for a video without content. */
  publish(videoId: string, headers: IncomingHttpHeaders): Promise<object>;
  takeDown(videoId: string, headers: IncomingHttpHeaders): Promise<object>;
}

/** As `video-admin.proto` has it. */
interface Video {
  readonly id: string;
  readonly owner: string;
  readonly title: string;
  readonly description: string;
  readonly status: string;
  readonly createdAt: Timestamp;
  readonly publishedAt: Timestamp | null;
  readonly content: { readonly mediaType: string; readonly sizeBytes: number; readonly sha256: string } | null;
}

const TIMEOUT_MS = 8_000;

/** Who may moderate is decided by the video service and its proxy, by this service's identity and the token that is passed on. */
export function createModeration(client: Pick<GrpcClient, "call">): Moderation {
  const call = async (method: string, videoId: string, headers: IncomingHttpHeaders) => {
    const timeoutMs = remainingMs(headers, TIMEOUT_MS);
    return toVideo((await client.call({ method, request: { videoId }, headers: forwardedHeaders(headers), timeoutMs })) as Video);
  };
  return {
    publish: (videoId, headers) => call("PublishVideo", videoId, headers),
    takeDown: (videoId, headers) => call("TakeDownVideo", videoId, headers),
  };
}

/** The same video as the API's JSON has it. */
function toVideo({ id, owner, title, description, status, createdAt, publishedAt, content }: Video): object {
  return {
    id,
    owner,
    title,
    description,
    status: status.replace("STATUS_", "").toLowerCase().replace("_", "-"),
    createdAt: fromTimestamp(createdAt),
    publishedAt: publishedAt === null ? null : fromTimestamp(publishedAt),
    content: content === null ? null : { mediaType: content.mediaType, sizeBytes: content.sizeBytes, sha256: content.sha256 },
  };
}
