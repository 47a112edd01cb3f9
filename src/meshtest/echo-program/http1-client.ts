import type { Duplex } from "node:stream";
import type { ClientOrder, HeaderLines } from "../real/exchange.ts";
import { ByteReader } from "./byte-reader.ts";
import { formatHead, isChunked, readBody, readHead, valueOf } from "./http1-message.ts";
import { closed, type Ending, endingOf } from "./open-connection.ts";
import { formatText, readFrame } from "./websocket.ts";

/** One HTTP/1.1 request byte for byte as given. Added are `host`, and the length of a body unless the order tells it itself. */
export async function requestHttp1(stream: Duplex, order: ClientOrder): Promise<Ending> {
  const reader = new ByteReader(stream);
  const { method, path, authority, headers } = order;
  stream.write(
    Buffer.concat([formatHead(`${method} ${path} HTTP/1.1`, [["host", authority], ...headers, ...lengthOf(order)]), bodyOf(order)]),
  );
  const answer = await readAnswer(reader);
  if ("kind" in answer) return answer;
  const isBodiless = method === "HEAD" || answer.status === 204 || answer.status === 304;
  if (isBodiless) return { kind: "response", ...answer, trailers: [], body: "" };
  const { body, trailers, cut } = await readBody(reader, answer.headers, true);
  return { kind: "response", ...answer, trailers, body: body.toString("utf8"), ...(cut && { cut }) };
}

/** A WebSocket: the handshake, then one frame out and the same one back, which is the body of the report. */
export async function requestWebSocket(stream: Duplex, order: ClientOrder): Promise<Ending> {
  const reader = new ByteReader(stream);
  const { method, path, authority, headers, body } = order;
  stream.write(formatHead(`${method} ${path} HTTP/1.1`, [["host", authority], ...headers, ...upgradeOf(headers)]));
  const answer = await readAnswer(reader);
  if ("kind" in answer) return answer;
  if (answer.status !== 101) {
    const refusal = await readBody(reader, answer.headers, true);
    return { kind: "response", ...answer, trailers: [], body: refusal.body.toString("utf8") };
  }
  stream.write(formatText(body === "" ? "hello" : body));
  const frame = await readFrame(reader);
  // A connection that carries no frames is no answer of the application.
  return frame === undefined
    ? { kind: "response", ...answer, trailers: [], body: "", cut: true }
    : { kind: "response", ...answer, trailers: [], body: frame.payload.toString("utf8") };
}

/** What the evaluator takes a client to add, so that both send the same request. */
function upgradeOf(headers: HeaderLines): HeaderLines {
  if (valueOf(headers, "upgrade") !== undefined) return [];
  return [
    ["connection", "Upgrade"],
    ["upgrade", "websocket"],
  ];
}

function lengthOf({ headers, body }: ClientOrder): HeaderLines {
  const isGiven = valueOf(headers, "content-length") !== undefined || valueOf(headers, "transfer-encoding") !== undefined;
  return body === "" || isGiven ? [] : [["content-length", String(Buffer.byteLength(body))]];
}

function bodyOf({ headers, body }: ClientOrder): Buffer {
  const bytes = Buffer.from(body);
  if (!isChunked(headers)) return bytes;
  const chunk = bytes.length === 0 ? [] : [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")];
  return Buffer.concat([...chunk, Buffer.from("0\r\n\r\n")]);
}

interface AnswerHead {
  readonly status: number;
  readonly headers: HeaderLines;
}

/** The first head that is no interim answer (100, 103); an ending where none comes. */
async function readAnswer(reader: ByteReader): Promise<AnswerHead | Ending> {
  for (;;) {
    const head = await readHead(reader);
    if (head === undefined) {
      if (reader.error !== undefined) return endingOf(reader.error);
      return closed(reader.total === 0 ? "ended without an answer" : "ended within the head of an answer");
    }
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(head.startLine)?.[1];
    if (status === undefined) return closed(`what came is no HTTP/1: ${head.startLine.slice(0, 100)}`);
    if (status === "101" || !status.startsWith("1")) return { status: Number(status), headers: head.headers };
  }
}
