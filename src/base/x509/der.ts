/** One DER value (X.690): its tag byte, its content, and all its bytes with tag and length. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Thrown by the readers of this folder for bytes that are not what they should be; callers turn it into their own answer. */
export class DerError extends Error {}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Reads exactly one value that fills all the bytes. */
export function readDer(bytes: Uint8Array): DerValue {
  const value = readAt(bytes, 0);
  if (value.bytes.length !== bytes.length) throw new DerError("bytes follow the value");
  return value;
}

/** The values inside a SEQUENCE, a SET or a constructed context tag, in order. */
export function readItems(content: Uint8Array): readonly DerValue[] {
  const items: DerValue[] = [];
  for (let at = 0; at < content.length; ) {
    const item = readAt(content, at);
    items.push(item);
    at += item.bytes.length;
  }
  return items;
}

/** The items of a value that must be a SEQUENCE. */
export function readSequence(value: DerValue | undefined): readonly DerValue[] {
  return readItems(expectTag(value, TAG.sequence).content);
}

export function expectTag(value: DerValue | undefined, tag: number): DerValue {
  if (value?.tag !== tag) throw new DerError(`tag ${value?.tag ?? "none"} where ${tag} should be`);
  return value;
}

/** Dotted text of an OBJECT IDENTIFIER: `2.5.29.17`. */
export function readOid(value: DerValue | undefined): string {
  const { content } = expectTag(value, TAG.oid);
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > 0xffffffff) throw new DerError("object identifier is too large");
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const first = arcs[0];
  if (first === undefined || (content.at(-1) ?? 0x80) >= 0x80) throw new DerError("object identifier is cut short");
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...arcs.slice(1)].join(".");
}

/** DER allows 0xff for true only, and leaves a default of false out. */
export function readTrue(value: DerValue): boolean {
  const { content } = expectTag(value, TAG.boolean);
  if (content.length !== 1 || content[0] !== 0xff) throw new DerError("BOOLEAN is not DER");
  return true;
}

/** A small non-negative INTEGER, as pathLen is. */
export function readSmallInteger(value: DerValue): number {
  const { content } = expectTag(value, TAG.integer);
  if (content.length === 0 || content.length > 4 || (content[0] ?? 0) >= 0x80) throw new DerError("INTEGER out of range");
  return content.reduce((number, byte) => number * 256 + byte, 0);
}

/** The bits of a BIT STRING with named bits, bit 0 first; for a signature or a key use `readBitBytes`. */
export function readNamedBits(value: DerValue): ReadonlySet<number> {
  const { content } = expectTag(value, TAG.bitString);
  const bits = new Set<number>();
  for (let i = 1; i < content.length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      if (((content[i] ?? 0) & (0x80 >> bit)) !== 0) bits.add((i - 1) * 8 + bit);
    }
  }
  return bits;
}

/** The bytes of a BIT STRING that has whole bytes. */
export function readBitBytes(value: DerValue | undefined): Uint8Array {
  const { content } = expectTag(value, TAG.bitString);
  if (content[0] !== 0) throw new DerError("BIT STRING has unused bits");
  return content.subarray(1);
}

/** ASCII text; any other byte is an error, so that no encoding can hide a character. */
export function readAscii(content: Uint8Array): string {
  let text = "";
  for (const byte of content) {
    if (byte < 0x20 || byte > 0x7e) throw new DerError("text has a byte that is not printable ASCII");
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Milliseconds since 1970 of UTCTime or GeneralizedTime in the forms that RFC 5280, 4.1.2.5 allows. */
export function readTime(value: DerValue | undefined): number {
  if (value?.tag !== TAG.utcTime && value?.tag !== TAG.generalizedTime) throw new DerError("no time where one should be");
  const text = readAscii(value.content);
  const long = value.tag === TAG.generalizedTime;
  const match = (long ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(text);
  if (match === null) throw new DerError("time has another form");
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const fullYear = long ? year : year < 50 ? 2000 + year : 1900 + year;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) throw new DerError("no such time");
  return Date.UTC(fullYear, month - 1, day, hour, minute, second);
}

function readAt(bytes: Uint8Array, at: number): DerValue {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new DerError("value is cut short");
  if ((tag & 0x1f) === 0x1f) throw new DerError("long tags are not used in certificates");
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || lengthBytes > 4) throw new DerError("length is not DER");
  let length = first < 0x80 ? first : 0;
  for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[at + 2 + i] ?? Number.NaN);
  const minimum = lengthBytes === 0 ? 0 : lengthBytes === 1 ? 0x80 : 2 ** (8 * (lengthBytes - 1));
  if (length < minimum) throw new DerError("length is not DER");
  const start = at + 2 + lengthBytes;
  if (!(start + length <= bytes.length)) throw new DerError("value is cut short");
  return { tag, content: bytes.subarray(start, start + length), bytes: bytes.subarray(at, start + length) };
}
