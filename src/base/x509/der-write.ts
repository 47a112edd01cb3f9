import { TAG } from "./der.ts";

/** One DER value: tag, length, and the parts one after another. */
export function writeDer(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag, ...writeLength(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function writeSequence(...parts: readonly Uint8Array[]): Uint8Array {
  return writeDer(TAG.sequence, ...parts);
}

/** An OBJECT IDENTIFIER from its dotted text. */
export function writeOid(oid: string): Uint8Array {
  const [top = 0, second = 0, ...rest] = oid.split(".").map(Number);
  const bytes = [top * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return writeDer(TAG.oid, Uint8Array.from(bytes));
}

/** A BIT STRING of whole bytes. */
export function writeBitString(bytes: Uint8Array): Uint8Array {
  return writeDer(TAG.bitString, Uint8Array.of(0), bytes);
}

export function writeAscii(tag: number, text: string): Uint8Array {
  return writeDer(
    tag,
    Uint8Array.from(text, (character) => character.charCodeAt(0)),
  );
}

function writeLength(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left & 0xff);
  return [0x80 | bytes.length, ...bytes];
}
