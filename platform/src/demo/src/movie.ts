import { createCipheriv, createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FILMS = join(import.meta.dirname, "../films");

/** Short films of our own (films/make.sh), a few kB each: WebM, VP9. */
const films = readdirSync(FILMS)
  .filter((name) => name.endsWith(".webm"))
  .toSorted()
  .map((name) => readFileSync(join(FILMS, name)));

export const MOVIE_TYPE = "video/webm";

/** The ID of an element that players skip (RFC 8794, 11.3.2), and a length in eight bytes, 56 bits of which count. */
const VOID_ID = 0xec;
const VOID_HEAD_BYTES = 9;
const LENGTH_MARKER = 1n << 56n;

/**
 * A film of a name's own, always the same bytes: one of a few that can be watched, and behind it noise that players skip, up to the size.
 *
 * @throws where the size is too small for a film.
 */
export function movieOf(name: string, sizeBytes: number): Buffer {
  const key = createHash("sha256").update(name).digest();
  const film = films[key.readUInt32BE(0) % films.length] ?? Buffer.alloc(0);
  const rest = sizeBytes - film.length - VOID_HEAD_BYTES;
  if (rest < 0) throw new Error(`a movie has ${film.length + VOID_HEAD_BYTES} bytes at least, not ${sizeBytes}`);
  const head = Buffer.alloc(VOID_HEAD_BYTES);
  head.writeUInt8(VOID_ID, 0);
  head.writeBigUInt64BE(LENGTH_MARKER | BigInt(rest), 1);
  // A cipher's stream is the quickest source of bytes that don't compress.
  const noise = createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(rest));
  return Buffer.concat([film, head, noise]);
}

/** As the API tells of a content. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64url");
}
