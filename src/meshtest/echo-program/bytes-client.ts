import type { Duplex } from "node:stream";
import type { ClientOrder } from "../real/exchange.ts";
import { ByteReader } from "./byte-reader.ts";
import { closed, type Ending, endingOf } from "./open-connection.ts";
import { ECHO_LIMITS } from "./protocol.ts";

/** Sent where the order has no body. */
const HELLO = "hello\n";

/** Sends the body and waits until it comes back. Whatever else comes (a greeting, say) is in `received` too. */
export async function sendBytes(stream: Duplex, { body, serverFirst }: ClientOrder): Promise<Ending> {
  const reader = new ByteReader(stream);
  const sent = Buffer.from(body === "" ? HELLO : body);
  if (serverFirst === true) await until(reader, (bytes) => bytes.includes(10));
  stream.write(sent);
  await until(reader, (bytes) => bytes.includes(sent));
  const { buffered: received } = reader;
  if (received.includes(sent)) return { kind: "open", received: received.toString("utf8") };
  if (reader.error !== undefined) return endingOf(reader.error);
  return closed(received.length === 0 ? "ended without a byte" : `ended after: ${received.toString("latin1", 0, 100)}`);
}

async function until(reader: ByteReader, isThere: (bytes: Buffer) => boolean): Promise<void> {
  while (!isThere(reader.buffered) && reader.total < ECHO_LIMITS.bodyBytes * 2) {
    if (!(await reader.more())) return;
  }
}
