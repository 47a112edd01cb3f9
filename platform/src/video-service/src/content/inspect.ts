import { createHash } from "node:crypto";
import { Problem } from "@platform/service-kit";

/** What the bytes of an upload turned out to be. */
export interface Inspected {
  readonly sizeBytes: number;
  /** Base64url. */
  readonly sha256: string;
}

export interface Inspection {
  /** The same bytes. Throws a Problem 413 at the first byte too many, 415 where they are not of the type, 400 where there are none. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Once all bytes have passed. */
  result(): Inspected;
}

/** How files of a type begin: enough to keep what is no video from being served as one. */
const SIGNATURES: Readonly<Record<string, { readonly at: number; readonly bytes: string }>> = {
  "video/mp4": { at: 4, bytes: "66747970" },
  "video/webm": { at: 0, bytes: "1a45dfa3" },
};
const HEAD_BYTES = 8;

export const mediaTypes: readonly string[] = Object.keys(SIGNATURES);

/** Looks at the bytes of an upload as they pass. */
export function inspect(source: AsyncIterable<Uint8Array>, mediaType: string, maxBytes: number): Inspection {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  async function* pass(): AsyncIterable<Uint8Array> {
    let head = Buffer.alloc(0);
    for await (const piece of source) {
      sizeBytes += piece.length;
      if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
      hash.update(piece);
      if (head.length < HEAD_BYTES) {
        head = Buffer.concat([head, piece]);
        if (head.length < HEAD_BYTES) continue;
        checkSignature(head, mediaType);
        yield head;
      } else yield piece;
    }
    if (sizeBytes === 0) throw new Problem(400, "The request does not fit the API", { detail: "no bytes were sent" });
    if (head.length < HEAD_BYTES) checkSignature(head, mediaType);
  }
  return { bytes: pass(), result: () => ({ sizeBytes, sha256: hash.digest("base64url") }) };
}

export function tooLarge(maxBytes: number): Problem {
  return new Problem(413, "Content too large", { detail: `at most ${maxBytes} bytes` });
}

function checkSignature(head: Buffer, mediaType: string): void {
  const signature = SIGNATURES[mediaType];
  const found =
    signature === undefined ? undefined : head.subarray(signature.at, signature.at + signature.bytes.length / 2).toString("hex");
  if (found === undefined || found !== signature?.bytes) {
    throw new Problem(415, "Unsupported media type", { detail: `the bytes are not of the type ${mediaType}` });
  }
}
