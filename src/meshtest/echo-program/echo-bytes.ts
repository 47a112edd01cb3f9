import type { Duplex } from "node:stream";
import type { ConnectionFacts, EchoApplication } from "./application.ts";
import type { ByteReader } from "./byte-reader.ts";

/** Sends back what comes, and ends when the peer has ended. */
export async function echoBytes(stream: Duplex, reader: ByteReader, facts: ConnectionFacts, application: EchoApplication): Promise<void> {
  const { greeting } = facts.port;
  if (greeting === undefined) {
    // A connection that nobody used (a proxy's spare one, a probe) is no arrival.
    if (reader.buffered.length > 0 || (await reader.more())) application.connected(facts, reader.buffered);
  } else {
    application.connected(facts, undefined);
    stream.write(greeting.endsWith("\n") ? greeting : `${greeting}\n`);
  }
  reader.release();
  stream.pipe(stream);
}
