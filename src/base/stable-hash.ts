import { sha256Words } from "./sha256.ts";

/**
 * Hash of a value that is the same for equal values in whatever order their keys stand: 128 bits of SHA-256 as 32 hex digits, so that nobody
 * who writes configuration can make two different ones look equal.
 * Takes what JSON has, and `undefined` (as if the key were absent), bigint, Uint8Array, Map and Set (in their own order).
 * Throws on a function, a symbol or an instance of a class: a key that leaves something out would be a wrong cache key.
 */
export function stableHash(value: unknown): string {
  shared.length = 0;
  write(shared, value);
  return toHex(sha256Words(shared.bytes, shared.length));
}

/** Hash of bytes, 32 hex digits. */
export function hashBytes(bytes: Uint8Array): string {
  return toHex(sha256Words(bytes));
}

/** JSON with sorted keys and without spaces; the text that `stableHash` hashes. */
export function canonicalJson(value: unknown): string {
  const writer = new TextWriter();
  write(writer, value);
  return writer.text;
}

interface Writer {
  add(text: string): void;
}

function write(writer: Writer, value: unknown): void {
  switch (typeof value) {
    case "string":
      return writer.add(JSON.stringify(value));
    case "number":
    case "boolean":
      return writer.add(String(value));
    case "bigint":
      return writer.add(`${value}n`);
    case "undefined":
      return writer.add("null");
    case "object":
      return value === null ? writer.add("null") : writeObject(writer, value);
    default:
      throw new TypeError(`can't hash a ${typeof value}`);
  }
}

function writeObject(writer: Writer, value: object): void {
  if (Array.isArray(value)) return writeList(writer, "[", value, "]");
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return writeRecord(writer, value as Readonly<Record<string, unknown>>);
  if (value instanceof Uint8Array) return writer.add(`bytes(${hashBytes(value)})`);
  if (value instanceof Map) return writeList(writer, "map(", value, ")");
  if (value instanceof Set) return writeList(writer, "set(", value, ")");
  throw new TypeError(`can't hash an instance of ${value.constructor.name}`);
}

function writeList(writer: Writer, open: string, values: Iterable<unknown>, close: string): void {
  writer.add(open);
  let separator = "";
  for (const value of values) {
    writer.add(separator);
    separator = ",";
    write(writer, value);
  }
  writer.add(close);
}

function writeRecord(writer: Writer, record: Readonly<Record<string, unknown>>): void {
  writer.add("{");
  let separator = "";
  for (const key of Object.keys(record).toSorted()) {
    const value = record[key];
    if (value === undefined) continue;
    writer.add(`${separator}${JSON.stringify(key)}:`);
    separator = ",";
    write(writer, value);
  }
  writer.add("}");
}

class TextWriter implements Writer {
  text = "";
  add(text: string): void {
    this.text += text;
  }
}

/** UTF-8 by hand: the core has no TextEncoder. JSON.stringify escapes lone surrogates, so that every pair met here is whole. */
class Utf8Writer implements Writer {
  bytes = new Uint8Array(1024);
  length = 0;

  add(text: string): void {
    this.#reserve(text.length * 3);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      let code = text.charCodeAt(i);
      if (code < 0x80) {
        bytes[at++] = code;
      } else if (code < 0x800) {
        bytes[at++] = 0xc0 | (code >> 6);
        bytes[at++] = 0x80 | (code & 63);
      } else if ((code & 0xfc00) !== 0xd800) {
        bytes[at++] = 0xe0 | (code >> 12);
        bytes[at++] = 0x80 | ((code >> 6) & 63);
        bytes[at++] = 0x80 | (code & 63);
      } else {
        code = 0x10000 + ((code & 0x3ff) << 10) + (text.charCodeAt(++i) & 0x3ff);
        bytes[at++] = 0xf0 | (code >> 18);
        bytes[at++] = 0x80 | ((code >> 12) & 63);
        bytes[at++] = 0x80 | ((code >> 6) & 63);
        bytes[at++] = 0x80 | (code & 63);
      }
    }
    this.length = at;
  }

  #reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

/** One for all: a hash is made in one go, and nothing of it stays. */
const shared = new Utf8Writer();

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function toHex(words: Int32Array): string {
  let text = "";
  for (let i = 0; i < 4; i++) {
    const word = words[i] as number;
    text += (HEX[word >>> 24] as string) + HEX[(word >>> 16) & 255] + HEX[(word >>> 8) & 255] + HEX[word & 255];
  }
  return text;
}
