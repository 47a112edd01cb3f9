import type { HeaderLines } from "../real/exchange.ts";
import { decodeHuffman } from "./huffman.ts";

/** RFC 7541, appendix A: entries 1 to 61, `name` or `name: value`. */
const STATIC_TABLE = (
  ":authority|:method: GET|:method: POST|:path: /|:path: /index.html|:scheme: http|:scheme: https|:status: 200|:status: 204|" +
  ":status: 206|:status: 304|:status: 400|:status: 404|:status: 500|accept-charset|accept-encoding: gzip, deflate|accept-language|" +
  "accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|" +
  "content-language|content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|" +
  "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|" +
  "proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|strict-transport-security|transfer-encoding|user-agent|" +
  "vary|via|www-authenticate"
)
  .split("|")
  .map((entry): readonly [string, string] => {
    const colon = entry.indexOf(": ", 1);
    return colon === -1 ? [entry, ""] : [entry.slice(0, colon), entry.slice(colon + 2)];
  });

/** Header lines as literals that no table remembers: whatever a line holds, it goes out as it is. */
export function encodeHeaders(lines: HeaderLines): Buffer {
  return Buffer.concat(lines.flatMap(([name, value]) => [Buffer.of(0), ...encodeText(name), ...encodeText(value)]));
}

function encodeText(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text);
  return [encodeInteger(bytes.length, 7), bytes];
}

function encodeInteger(value: number, prefixBits: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/**
 * Reads a header block of a peer that was told to keep no table (SETTINGS_HEADER_TABLE_SIZE 0) before it sent one.
 * Undefined where the block is broken, or asks for a table.
 */
export function decodeHeaders(block: Buffer): HeaderLines | undefined {
  const lines: (readonly [string, string])[] = [];
  const reader = { block, at: 0 };
  while (reader.at < block.length) {
    const first = block[reader.at] ?? 0;
    if ((first & 0xe0) === 0x20) {
      // A change of the table's size.
      if (decodeInteger(reader, 5) !== 0) return undefined;
      continue;
    }
    const indexed = (first & 0x80) !== 0;
    const index = decodeInteger(reader, indexed ? 7 : (first & 0x40) !== 0 ? 6 : 4);
    if (index === undefined) return undefined;
    const entry = STATIC_TABLE[index - 1];
    const line = indexed ? entry : [index === 0 ? decodeText(reader) : entry?.[0], decodeText(reader)];
    if (!isLine(line)) return undefined;
    lines.push(line);
  }
  return lines;
}

function isLine(line: readonly (string | undefined)[] | undefined): line is readonly [string, string] {
  return line?.[0] !== undefined && line[1] !== undefined;
}

interface BlockReader {
  readonly block: Buffer;
  at: number;
}

function decodeInteger(reader: BlockReader, prefixBits: number): number | undefined {
  const most = 2 ** prefixBits - 1;
  let value = (reader.block[reader.at++] ?? 0) & most;
  if (value < most) return value;
  for (let factor = 1; factor <= 2 ** 21; factor *= 128) {
    const byte = reader.block[reader.at++];
    if (byte === undefined) return undefined;
    value += (byte & 127) * factor;
    if (byte < 128) return value;
  }
  return undefined;
}

function decodeText(reader: BlockReader): string | undefined {
  const isHuffman = ((reader.block[reader.at] ?? 0) & 0x80) !== 0;
  const length = decodeInteger(reader, 7);
  if (length === undefined || reader.at + length > reader.block.length) return undefined;
  const bytes = reader.block.subarray(reader.at, reader.at + length);
  reader.at += length;
  return (isHuffman ? decodeHuffman(bytes) : bytes)?.toString("utf8");
}
