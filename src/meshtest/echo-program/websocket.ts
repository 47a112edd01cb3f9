import type { Duplex } from "node:stream";
import type { ByteReader } from "./byte-reader.ts";
import { ECHO_LIMITS } from "./protocol.ts";

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  /** The FIN bit and the opcode, as they were. */
  readonly first: number;
  readonly payload: Buffer;
}

/** Reads one frame and takes its mask off (RFC 6455, section 5.2); undefined where the connection ends first, or the frame is too long. */
export async function readFrame(reader: ByteReader): Promise<Frame | undefined> {
  const start = await reader.exactly(2);
  if (start === undefined) return undefined;
  const [first = 0, second = 0] = start;
  const length = await readLength(reader, second & 127);
  if (length === undefined || length > ECHO_LIMITS.bodyBytes) return undefined;
  const mask = (second & 128) === 0 ? undefined : await reader.exactly(4);
  const payload = await reader.exactly(length);
  if (payload === undefined || ((second & 128) !== 0 && mask === undefined)) return undefined;
  return { first, payload: mask === undefined ? payload : masked(payload, mask) };
}

async function readLength(reader: ByteReader, short: number): Promise<number | undefined> {
  if (short < 126) return short;
  const bytes = await reader.exactly(short === 126 ? 2 : 8);
  if (bytes === undefined) return undefined;
  return short === 126 ? bytes.readUInt16BE() : Number(bytes.readBigUInt64BE());
}

function masked(payload: Buffer, mask: Buffer): Buffer {
  return Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
}

/** A frame as servers send it; with `fromClient`, under a fresh mask. */
function formatFrame({ first, payload }: Frame, fromClient = false): Buffer {
  const { length } = payload;
  const sizeBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + sizeBytes);
  head[0] = first;
  head[1] = (fromClient ? 128 : 0) + (sizeBytes === 0 ? length : sizeBytes === 2 ? 126 : 127);
  if (sizeBytes === 2) head.writeUInt16BE(length, 2);
  if (sizeBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!fromClient) return Buffer.concat([head, payload]);
  const mask = process.getBuiltinModule("node:crypto").randomBytes(4);
  return Buffer.concat([head, mask, masked(payload, mask)]);
}

export function formatText(text: string): Buffer {
  return formatFrame({ first: 128 + OPCODE.text, payload: Buffer.from(text) }, true);
}

/** Sends every frame back until the client closes. */
export async function echoFrames(stream: Duplex, reader: ByteReader): Promise<void> {
  for (let frame = await readFrame(reader); frame !== undefined; frame = await readFrame(reader)) {
    const opcode = frame.first & 15;
    if (opcode === OPCODE.pong) continue;
    stream.write(formatFrame(opcode === OPCODE.ping ? { ...frame, first: 128 + OPCODE.pong } : frame));
    if (opcode === OPCODE.close) return;
  }
}
