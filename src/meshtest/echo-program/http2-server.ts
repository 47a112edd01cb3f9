import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { GRPC_STATUS } from "../../base/grpc-status.ts";
import type { HeaderLines } from "../real/exchange.ts";
import { type ConnectionFacts, type EchoApplication, isGrpcType } from "./application.ts";
import { CHECK_PATH, formatCheckResponse, readCheckHeaders } from "./check-request.ts";
import { formatMessage, readMessage } from "./grpc-message.ts";
import { valueOf } from "./http1-message.ts";
import { ECHO_LIMITS } from "./protocol.ts";

/** Answers HTTP/2 requests, gRPC and authorization checks among them, on a connection whose first bytes are still unread. */
export function serveHttp2(stream: Duplex, facts: ConnectionFacts, application: EchoApplication): void {
  const session = performServerHandshake(stream);
  session.on("error", () => session.destroy());
  // The other side's end is ours: a session by itself leaves the connection half open.
  stream.once("end", () => session.destroy());
  session.on("stream", (request, _headers, _flags, rawHeaders) => {
    request.on("error", () => request.destroy());
    answerStream(request, linesOf(rawHeaders), facts, application).catch((error: unknown) => {
      application.failed(error);
      request.destroy();
    });
  });
}

/** Node hands raw headers over as one flat list. */
function linesOf(raw: readonly string[]): HeaderLines {
  const lines: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) lines.push([utf8(raw[at]), utf8(raw[at + 1])]);
  return lines;
}

/** Node reads header bytes as Latin-1. */
function utf8(text = ""): string {
  return Buffer.from(text, "latin1").toString("utf8");
}

async function answerStream(
  stream: ServerHttp2Stream,
  lines: HeaderLines,
  facts: ConnectionFacts,
  application: EchoApplication,
): Promise<void> {
  const body = await bodyOf(stream);
  const pseudo = (name: string): string => valueOf(lines, name) ?? "";
  const isGrpc = isGrpcType(lines);
  const path = pseudo(":path");
  const headers = lines.filter(([name]) => !name.startsWith(":"));
  const isCheck = isGrpc && path === CHECK_PATH;
  const message = isGrpc ? readMessage(body) : body;
  const checked = isCheck ? (readCheckHeaders(message) ?? []) : undefined;
  const request = {
    protocol: isGrpc ? "grpc" : "http2",
    method: pseudo(":method"),
    authority: pseudo(":authority"),
    path,
    headers,
    body: isCheck ? "" : message.toString("utf8"),
  } as const;
  const { status, grpcStatus } = await application.answer(facts, request, checked);
  if (stream.destroyed) return;
  if (isCheck) respondGrpc(stream, { status: 200, grpcStatus: "OK", message: formatCheckResponse(status < 400) });
  else if (grpcStatus !== undefined) respondGrpc(stream, { status, grpcStatus, message });
  else respond(stream, status, request.method === "HEAD" ? Buffer.alloc(0) : body);
}

/** The body up to the limit, or as much as came before the stream broke off. */
function bodyOf(stream: ServerHttp2Stream): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= ECHO_LIMITS.bodyBytes) chunks.push(chunk);
      else stream.destroy();
    });
    stream.on("close", () => resolve(Buffer.concat(chunks)));
    stream.on("end", () => resolve(Buffer.concat(chunks)));
  });
}

/** The evaluator foretells an answer's headers, and a date is none of them. */
const NO_DATE = { sendDate: false };

function respond(stream: ServerHttp2Stream, status: number, body: Buffer): void {
  const isBodiless = status === 204 || status === 304 || body.length === 0;
  stream.respond({ ":status": status }, { ...NO_DATE, endStream: isBodiless });
  if (!isBodiless) stream.end(body);
}

interface GrpcAnswer {
  readonly status: number;
  readonly grpcStatus: string;
  readonly message: Uint8Array;
}

/** A failure is told in the headers, without a message ("Trailers-Only"), so that proxies can retry by it. */
function respondGrpc(stream: ServerHttp2Stream, { status, grpcStatus, message }: GrpcAnswer): void {
  const code = String(GRPC_STATUS.indexOf(grpcStatus));
  const headers = { ":status": status, "content-type": "application/grpc" };
  if (grpcStatus !== "OK") {
    stream.respond({ ...headers, "grpc-status": code }, { ...NO_DATE, endStream: true });
    return;
  }
  stream.respond(headers, { ...NO_DATE, waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": code }));
  stream.end(formatMessage(message));
}
