import type { IncomingHttpHeaders } from "node:http";
import { callService, forwardedHeaders } from "@platform/service-kit";

/** The video service's admin API, called on behalf of a moderator. */
export interface Moderation {
  publish(videoId: string, headers: IncomingHttpHeaders): Promise<unknown>;
  takeDown(videoId: string, headers: IncomingHttpHeaders): Promise<unknown>;
}

/** `origin` is the video service's. Who may moderate is decided there, by this service's identity and the token that is passed on. */
export function createModeration(origin: string): Moderation {
  const call = (videoId: string, action: string, headers: IncomingHttpHeaders) =>
    callService({
      origin,
      method: "POST",
      path: `/admin/videos/${encodeURIComponent(videoId)}/${action}`,
      headers: forwardedHeaders(headers),
    });
  return {
    publish: (videoId, headers) => call(videoId, "publish", headers),
    takeDown: (videoId, headers) => call(videoId, "take-down", headers),
  };
}
