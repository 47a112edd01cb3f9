import type { ByteReader } from "./byte-reader.ts";
import { ECHO_LIMITS } from "./protocol.ts";

const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** A client that waits is taken to speak bytes after this time. */
const UNCERTAIN_MS = 300;

export type Spoken = "tls" | "http2" | "http1" | "bytes";

/**
 * Waits until the first bytes tell what a client speaks; they stay in the reader. `bytes` too where the connection ends before, and for a client
 * that waits in the midst of what can't be told yet.
 */
export async function readSpoken(reader: ByteReader): Promise<Spoken> {
  const uncertain = Promise.withResolvers<false>();
  let timer: NodeJS.Timeout | undefined;
  try {
    for (;;) {
      const spoken = spokenBy(reader.buffered);
      if (spoken !== undefined) return spoken;
      if (reader.buffered.length > 0) timer ??= setTimeout(() => uncertain.resolve(false), UNCERTAIN_MS);
      if (!(await Promise.race([uncertain.promise, reader.more()]))) return "bytes";
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined: more bytes are needed to tell. */
function spokenBy(first: Buffer): Spoken | undefined {
  const [type, major] = first;
  if (type === undefined) return undefined;
  // A handshake record of any version of TLS.
  if (type === 22) return major === undefined ? undefined : major === 3 ? "tls" : "bytes";
  const length = Math.min(first.length, HTTP2_PREFACE.length);
  if (first.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length))) {
    return length === HTTP2_PREFACE.length ? "http2" : undefined;
  }
  return spokenByLine(first);
}

/** A method in capitals and a blank may be the start of a request line, which must end with the version. */
function spokenByLine(first: Buffer): Spoken | undefined {
  const end = first.indexOf(10);
  if (end !== -1) return / HTTP\/1\.[01]\r?$/.test(first.toString("latin1", 0, end)) ? "http1" : "bytes";
  return first.length < ECHO_LIMITS.headBytes && /^[A-Z]+($| )/.test(first.toString("latin1", 0, 64)) ? undefined : "bytes";
}
