import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { inspect } from "./inspect.ts";

const MP4 = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypisom"), Buffer.alloc(100, 7)]);
const WEBM = Buffer.concat([Buffer.from("1a45dfa3", "hex"), Buffer.alloc(100, 7)]);

async function* pieces(bytes: Buffer, size: number): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function pass(bytes: Buffer, mediaType: string, { size = 16, maxBytes = 1_000 } = {}) {
  const inspection = inspect(pieces(bytes, size), mediaType, maxBytes);
  const passed: Uint8Array[] = [];
  for await (const piece of inspection.bytes) passed.push(piece);
  return { passed: Buffer.concat(passed), ...inspection.result() };
}

describe("inspect", () => {
  test.each([1, 3, 8, 16, 1_000])("passes what fits, in pieces of %i, and knows its size and hash", async (size) => {
    const sha256 = createHash("sha256").update(MP4).digest("base64url");
    expect(await pass(MP4, "video/mp4", { size })).toEqual({ passed: MP4, sizeBytes: MP4.length, sha256 });
  });

  test("passes WebM", async () => {
    expect((await pass(WEBM, "video/webm")).passed).toEqual(WEBM);
  });

  test.each([
    { title: "HTML", bytes: Buffer.from("<html><script>alert(1)</script>"), type: "video/mp4", status: 415 },
    { title: "WebM that says it is MP4", bytes: WEBM, type: "video/mp4", status: 415 },
    { title: "a few bytes", bytes: MP4.subarray(0, 5), type: "video/mp4", status: 415 },
    { title: "a type that we don't take", bytes: MP4, type: "video/ogg", status: 415 },
    { title: "nothing", bytes: Buffer.alloc(0), type: "video/mp4", status: 400 },
    { title: "a byte too many", bytes: Buffer.concat([MP4, Buffer.alloc(889)]), type: "video/mp4", status: 413 },
  ])("refuses $title with $status", async ({ bytes, type, status }) => {
    await expect(pass(bytes, type)).rejects.toMatchObject({ status });
  });
});
