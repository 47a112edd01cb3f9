import type { Duplex } from "node:stream";
import type { ConnectionFacts, EchoApplication } from "./application.ts";
import type { ByteReader } from "./byte-reader.ts";
import { formatHead, type MessageHead, readBody, readHead, valueOf } from "./http1-message.ts";
import { echoFrames } from "./websocket.ts";

/** Answers HTTP/1 requests on a connection, one after another, until its end. */
export async function serveHttp1(stream: Duplex, reader: ByteReader, facts: ConnectionFacts, application: EchoApplication): Promise<void> {
  for (;;) {
    const head = await readHead(reader);
    if (head === undefined) break;
    if (valueOf(head.headers, "expect")?.toLowerCase() === "100-continue") stream.write("HTTP/1.1 100 Continue\r\n\r\n");
    const { method, path, version } = readRequestLine(head.startLine);
    const { body, cut } = await readBody(reader, head.headers, false);
    const authority = valueOf(head.headers, "host") ?? "";
    const request = { protocol: "http1", method, authority, path, headers: head.headers, body: body.toString("utf8") } as const;
    const { status } = await application.answer(facts, request);
    if (cut || stream.destroyed) break;
    if (status === 101) {
      stream.write(upgraded(head));
      await echoFrames(stream, reader);
      break;
    }
    const goesOn = staysOpen(version, head);
    stream.write(response({ status, isHead: method === "HEAD", body, goesOn }));
    if (!goesOn) break;
  }
  stream.end();
}

/** The path is what stands between the first and the last blank, whatever it holds. */
function readRequestLine(line: string): { readonly method: string; readonly path: string; readonly version: string } {
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  return { method: line.slice(0, first), path: line.slice(first + 1, last), version: line.slice(last + 1) };
}

function staysOpen(version: string, { headers }: MessageHead): boolean {
  const connection = valueOf(headers, "connection")?.toLowerCase() ?? "";
  return version === "HTTP/1.0" ? connection.includes("keep-alive") : !connection.includes("close");
}

interface Http1Answer {
  readonly status: number;
  readonly isHead: boolean;
  readonly body: Buffer;
  readonly goesOn: boolean;
}

function response({ status, isHead, body, goesOn }: Http1Answer): Buffer {
  const isBodiless = status === 204 || status === 304;
  const head = formatHead(`HTTP/1.1 ${status} Echo`, [
    ...(isBodiless ? [] : [["content-length", String(body.length)] as const]),
    ...(goesOn ? [] : [["connection", "close"] as const]),
  ]);
  return isBodiless || isHead ? head : Buffer.concat([head, body]);
}

/** RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function upgraded({ headers }: MessageHead): Buffer {
  const key = valueOf(headers, "sec-websocket-key");
  const accept = key === undefined ? undefined : acceptOf(key);
  return formatHead("HTTP/1.1 101 Switching Protocols", [
    ["connection", "Upgrade"],
    ["upgrade", "websocket"],
    ...(accept === undefined ? [] : [["sec-websocket-accept", accept] as const]),
  ]);
}

function acceptOf(key: string): string {
  return process.getBuiltinModule("node:crypto").createHash("sha1").update(`${key}${ACCEPT_SUFFIX}`).digest("base64");
}
