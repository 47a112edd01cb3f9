/** As much of RFC 1035's wire format as a resolver needs that answers A questions from a table. */

export interface DnsQuestion {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** Lower case, without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The question as it came, to be sent back as it is. */
  readonly raw: Buffer;
}

export const TYPE_A = 1;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
/** A question can't be longer: 255 bytes of name, type and class, and what EDNS adds. */
const MAX_QUERY_BYTES = 1232;

/** The one question of a query; undefined for anything else (an answer, several questions, a compressed or broken name). */
export function parseQuery(message: Buffer): DnsQuestion | undefined {
  if (message.length < HEADER_BYTES + 5 || message.length > MAX_QUERY_BYTES) return undefined;
  const flags = message.readUInt16BE(2);
  const isQuery = (flags & 0xf800) === 0;
  if (!isQuery || message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63 || at + length + 1 > message.length || at - HEADER_BYTES > 254) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(message.toString("latin1", at, at + length));
    at += length;
  }
  if (at + 4 > message.length) return undefined;
  return {
    id: message.readUInt16BE(0),
    recursionDesired: (flags & 0x0100) !== 0,
    name: labels.join(".").toLowerCase(),
    type: message.readUInt16BE(at),
    class: message.readUInt16BE(at + 2),
    raw: message.subarray(HEADER_BYTES, at + 4),
  };
}

export type DnsAnswer = { readonly kind: "address"; readonly address: string } | { readonly kind: "no-such-name" };

const TTL_S = 10;
const NAME_ERROR = 3;

/** Authoritative answer: the address for a question of type A, no record for other types of a known name, NXDOMAIN otherwise. */
export function formatAnswer(question: DnsQuestion, answer: DnsAnswer): Buffer {
  const hasRecord = answer.kind === "address" && question.type === TYPE_A && question.class === CLASS_IN;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(question.id, 0);
  const code = answer.kind === "address" ? 0 : NAME_ERROR;
  header.writeUInt16BE(0x8400 | (question.recursionDesired ? 0x0100 : 0) | 0x0080 | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(hasRecord ? 1 : 0, 6);
  if (!hasRecord) return Buffer.concat([header, question.raw]);
  const record = Buffer.alloc(16);
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(CLASS_IN, 4);
  record.writeUInt32BE(TTL_S, 6);
  record.writeUInt16BE(4, 10);
  record.set(answer.address.split(".").map(Number), 12);
  return Buffer.concat([header, question.raw, record]);
}
