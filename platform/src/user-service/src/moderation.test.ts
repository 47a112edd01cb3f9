import { type GrpcCall, toTimestamp } from "@platform/service-kit";
import { expect, test } from "vitest";
import { createModeration } from "./moderation.ts";

const calls: GrpcCall[] = [];
const time = "2026-01-02T03:04:05.678Z";
const answer = {
  id: "v",
  owner: "alice",
  ownerName: "",
  title: "t",
  description: "",
  status: "STATUS_TAKEN_DOWN",
  createdAt: toTimestamp(time),
  publishedAt: null,
  content: { mediaType: "video/mp4", sizeBytes: 7, sha256: "x" },
};
const moderation = createModeration({
  call: async (call) => {
    calls.push(call);
    return call.method === "ListWaitingVideos" ? { videos: [{ ...answer, ownerName: "Alice" }], next: "n" } : answer;
  },
});

test("the call carries the token, the trace and what is left of the request's time; the answer is the API's JSON", async () => {
  const headers = { authorization: "Bearer t", traceparent: "00-a-b-01", cookie: "c", "x-envoy-expected-rq-timeout-ms": "1200" };
  expect(await moderation.takeDown("v", headers)).toEqual({
    ...answer,
    ownerName: null,
    status: "taken-down",
    createdAt: time,
  });
  expect(calls).toEqual([
    {
      method: "TakeDownVideo",
      request: { videoId: "v" },
      headers: { authorization: "Bearer t", traceparent: "00-a-b-01" },
      timeoutMs: 1_200,
    },
  ]);
});

test("a page of what waits is asked for with its beginning, and comes with the next one's", async () => {
  calls.length = 0;
  expect(await moderation.queue({ limit: 7, after: "a" }, {})).toMatchObject({
    videos: [{ id: "v", ownerName: "Alice", status: "taken-down", createdAt: time }],
    next: "n",
  });
  await moderation.queue({ limit: 7, after: undefined }, {});
  expect(calls.map(({ method, request }) => [method, request])).toEqual([
    ["ListWaitingVideos", { limit: 7, after: "a" }],
    ["ListWaitingVideos", { limit: 7, after: "" }],
  ]);
});
