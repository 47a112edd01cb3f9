import { createCipheriv, createHash } from "node:crypto";

/** An MP4's first box, and a box of media data behind it that fills the rest. */
const HEAD = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypisom\0\0\x02\0isomiso2mp41", "latin1").subarray(0, 20)]);

/** A small file of a name's own, always the same bytes. Nothing can be seen in it. */
export function movieOf(name: string, sizeBytes: number): Buffer {
  const rest = Math.max(0, sizeBytes - HEAD.length - 8);
  const box = Buffer.alloc(8);
  box.writeUInt32BE(rest + 8, 0);
  box.write("mdat", 4, "latin1");
  const key = createHash("sha256").update(name).digest();
  // A cipher's stream is the quickest source of bytes that don't compress.
  const noise = createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(rest));
  return Buffer.concat([HEAD, box, noise]);
}

/** As the API tells of a content. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64url");
}
