import type { HeaderLines } from "../real/exchange.ts";
import type { ByteReader } from "./byte-reader.ts";
import { ECHO_LIMITS } from "./protocol.ts";

export interface MessageHead {
  readonly startLine: string;
  readonly headers: HeaderLines;
}

export interface MessageBody {
  readonly body: Buffer;
  readonly trailers: HeaderLines;
  /** The connection ended, or the text was broken or too long, before the whole body had come. */
  readonly cut: boolean;
}

/** Reads a start line and header lines, lenient: a line without a colon is a name. Undefined where the connection ends first, or the head is too long. */
export async function readHead(reader: ByteReader): Promise<MessageHead | undefined> {
  let startLine = "";
  // Empty lines before a message are passed over (RFC 9112, section 2.2).
  while (startLine === "") {
    const line = await reader.line(ECHO_LIMITS.headBytes);
    if (line === undefined) return undefined;
    startLine = line;
  }
  const headers = await readHeaderLines(reader);
  return headers && { startLine, headers };
}

async function readHeaderLines(reader: ByteReader): Promise<HeaderLines | undefined> {
  const lines: (readonly [string, string])[] = [];
  for (let bytes = 0; bytes < ECHO_LIMITS.headBytes; ) {
    const line = await reader.line(ECHO_LIMITS.headBytes);
    if (line === undefined) return undefined;
    if (line === "") return lines;
    bytes += line.length;
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    lines.push([name.toLowerCase(), colon === -1 ? "" : line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")]);
  }
  return undefined;
}

const WITHOUT: MessageBody = { body: Buffer.alloc(0), trailers: [], cut: false };

/** Reads what follows a head. `untilEnd`: a body whose length nobody tells lasts to the end of the connection, as in answers. */
export async function readBody(reader: ByteReader, headers: HeaderLines, untilEnd: boolean): Promise<MessageBody> {
  if (isChunked(headers)) return readChunks(reader);
  const length = valueOf(headers, "content-length");
  if (length !== undefined && /^\d+$/.test(length)) return readLength(reader, Number(length));
  return untilEnd ? readToEnd(reader) : WITHOUT;
}

async function readLength(reader: ByteReader, length: number): Promise<MessageBody> {
  if (length === 0) return WITHOUT;
  const whole = length <= ECHO_LIMITS.bodyBytes ? await reader.exactly(length) : undefined;
  return whole === undefined ? { ...WITHOUT, body: reader.buffered, cut: true } : { ...WITHOUT, body: whole };
}

async function readToEnd(reader: ByteReader): Promise<MessageBody> {
  const chunks: Buffer[] = [];
  for (let bytes = 0; bytes <= ECHO_LIMITS.bodyBytes; ) {
    const chunk = await reader.some();
    if (chunk === undefined) return { ...WITHOUT, body: Buffer.concat(chunks), cut: reader.error !== undefined };
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return { ...WITHOUT, body: Buffer.concat(chunks), cut: true };
}

async function readChunks(reader: ByteReader): Promise<MessageBody> {
  const chunks: Buffer[] = [];
  for (let bytes = 0; bytes <= ECHO_LIMITS.bodyBytes; ) {
    const size = Number.parseInt((await reader.line(ECHO_LIMITS.headBytes)) ?? "", 16);
    if (!(size >= 0) || size > ECHO_LIMITS.bodyBytes) break;
    if (size === 0) {
      const trailers = await readHeaderLines(reader);
      return { body: Buffer.concat(chunks), trailers: trailers ?? [], cut: trailers === undefined };
    }
    const chunk = await reader.exactly(size);
    if (chunk === undefined) {
      chunks.push(reader.buffered);
      break;
    }
    chunks.push(chunk);
    bytes += size;
    await reader.line(ECHO_LIMITS.headBytes);
  }
  return { body: Buffer.concat(chunks), trailers: [], cut: true };
}

export function isChunked(headers: HeaderLines): boolean {
  return headers.some(([name, value]) => name.toLowerCase() === "transfer-encoding" && value.toLowerCase().includes("chunked"));
}

/** Of the first line with that name, in lower case. */
export function valueOf(headers: HeaderLines, name: string): string | undefined {
  return headers.find(([own]) => own.toLowerCase() === name)?.[1];
}

/** The bytes of a head, nothing normalised. */
export function formatHead(startLine: string, headers: HeaderLines): Buffer {
  return Buffer.from(`${startLine}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
}
