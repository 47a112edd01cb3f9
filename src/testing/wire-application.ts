import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CheckRequestSchema, CheckResponseSchema } from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { GRPC_STATUS } from "../base/grpc-status.ts";
import type { ApplicationAnswer, ApplicationRequest, Target } from "../evaluate/index.ts";
import type { HeaderLines } from "../evaluate/http-message.ts";
import type { KeyAndChain } from "../meshtest/real/certificates.ts";

const CHECK_PATH = "/envoy.service.auth.v3.Authorization/Check";

/** What an application saw of one request or connection. */
export interface Arrival {
  readonly target: string;
  readonly port: number;
  readonly tls: boolean;
  readonly request?: {
    readonly protocol: ApplicationRequest["protocol"];
    readonly method: string;
    readonly authority: string;
    readonly path: string;
    readonly headers: HeaderLines;
  };
  /** The first bytes of what is no HTTP. */
  readonly bytes?: string;
}

export interface Place {
  readonly target: Target;
  readonly port: number;
  /** Ends TLS with this certificate. */
  readonly tls?: KeyAndChain;
}

export type AnswerOf = (request: ApplicationRequest) => ApplicationAnswer;

/** The header by which arrivals are told apart. */
export const CASE_HEADER = "x-case";

/** Programs behind all addresses: they answer in whatever is spoken to them, and remember what came. */
export class WireApplications {
  readonly arrivals: Arrival[] = [];
  readonly #answerOf: AnswerOf;
  readonly #sockets = new Set<Duplex>();

  constructor(answerOf: AnswerOf) {
    this.#answerOf = answerOf;
  }

  /** A connection to one of them. */
  accept(socket: Socket, place: Place): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    if (place.tls === undefined) return this.#serve(socket, place, false);
    const { chainPem, keyPem } = place.tls;
    const secured = new TLSSocket(socket, { isServer: true, cert: chainPem, key: keyPem, ALPNProtocols: ["h2", "http/1.1"] });
    secured.on("error", () => socket.destroy());
    this.#serve(secured, place, true);
  }

  /** Requests of one case, copies of mirrors apart. */
  ofCase(id: string): { readonly own: readonly Arrival[]; readonly copies: readonly Arrival[] } {
    const all = this.arrivals.filter(
      ({ request, bytes }) =>
        bytes?.includes(id) === true || request?.headers.some(([name, value]) => name === CASE_HEADER && value === id),
    );
    const isCopy = ({ request }: Arrival) => /-shadow(:\d+)?$/.test(request?.authority ?? "");
    return { own: all.filter((arrival) => !isCopy(arrival)), copies: all.filter(isCopy) };
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Told by the first bytes. */
  #serve(socket: Duplex, place: Place, tls: boolean): void {
    socket.once("data", (first: Buffer) => {
      socket.pause();
      const text = first.toString("latin1");
      if (text.startsWith("PRI * HTTP/2")) this.#http2(socket, first, place, tls);
      else if (/^[A-Z-]+ \S+ HTTP\/1\.[01]\r\n/i.test(text)) this.#http1(socket, first, place, tls);
      else {
        this.arrivals.push({ target: nameOf(place.target), port: place.port, tls, bytes: text });
        socket.on("data", (more: Buffer) => socket.write(more));
        socket.write(first);
        socket.resume();
      }
    });
  }

  #http1(socket: Duplex, first: Buffer, place: Place, tls: boolean): void {
    const server = createHttpServer({ maxHeaderSize: 200_000 }, (incoming, answer) => this.#answer1(incoming, answer, place, tls));
    server.on("upgrade", (incoming: IncomingMessage, upgraded: Duplex) => {
      const { status, headers = [] } = this.#note(incoming, place, tls);
      if (status !== 101) {
        upgraded.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
      upgraded.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n${lines.join("")}\r\n`);
      upgraded.on("error", () => upgraded.destroy());
      upgraded.on("data", (bytes: Buffer) => upgraded.write(bytes));
    });
    socket.unshift(first);
    server.emit("connection", socket);
    socket.resume();
  }

  #note(incoming: IncomingMessage, place: Place, tls: boolean): ApplicationAnswer {
    const { rawHeaders, method = "", url = "" } = incoming;
    const lines = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1] ?? ""] as const] : []));
    const authority = lines.find(([name]) => name === "host")?.[1] ?? "";
    const headers = lines.filter(([name]) => name !== "host");
    return this.#arrive(place, tls, { protocol: "http1", method, authority, path: url, headers });
  }

  #answer1(incoming: IncomingMessage, answer: ServerResponse, place: Place, tls: boolean): void {
    const { status, headers = [], delayMs = 0 } = this.#note(incoming, place, tls);
    const send = () => {
      answer.statusCode = status;
      for (const [name, value] of headers) answer.appendHeader(name, value);
      answer.end("echo");
    };
    if (delayMs > 0) setTimeout(send, delayMs);
    else send();
  }

  #http2(socket: Duplex, first: Buffer, place: Place, tls: boolean): void {
    const server = createHttp2Server();
    server.on("stream", (stream: ServerHttp2Stream, head, _flags, raw) => {
      if (head[":path"] === CHECK_PATH) return void this.#check(stream, place);
      const lines = raw.flatMap((name, i) => (i % 2 === 0 && !name.startsWith(":") ? [[name, raw[i + 1] ?? ""] as const] : []));
      const { ":method": method = "", ":authority": authority = "", ":path": path = "" } = head;
      const grpc = String(head["content-type"] ?? "").startsWith("application/grpc");
      const request = { protocol: grpc ? "grpc" : "http2", method, authority, path, headers: lines } as const;
      const answer = this.#arrive(place, tls, request);
      stream.on("error", () => stream.destroy());
      const send = () => (stream.destroyed ? undefined : answer2(stream, answer, grpc));
      if ((answer.delayMs ?? 0) > 0) setTimeout(send, answer.delayMs);
      else send();
    });
    server.on("sessionError", () => socket.destroy());
    socket.unshift(first);
    server.emit("connection", socket);
  }

  /** As an authorizer: the request that is asked about says what the answer is. */
  async #check(stream: ServerHttp2Stream, { target, port }: Place): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    const asked = fromBinary(CheckRequestSchema, Buffer.concat(chunks).subarray(5)).attributes?.request?.http;
    const checks = Object.entries(asked?.headers ?? {});
    const call = { method: "POST", authority: "", path: CHECK_PATH, protocol: "grpc", headers: [] } as const;
    const answer = this.#answerOf({ to: target, port, ...call, attempt: 1, checks });
    const code = answer.status < 400 && (answer.grpcStatus ?? "OK") === "OK" ? 0 : 7;
    const bytes = toBinary(CheckResponseSchema, create(CheckResponseSchema, { status: { code } }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(bytes.length, 1);
    const send = () => {
      if (stream.destroyed) return;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat([head, bytes]));
    };
    setTimeout(send, answer.delayMs ?? 0);
  }

  #arrive({ target, port }: Place, tls: boolean, request: NonNullable<Arrival["request"]>): ApplicationAnswer {
    this.arrivals.push({ target: nameOf(target), port, tls, request });
    const id = request.headers.find(([name]) => name === CASE_HEADER)?.[1] ?? "";
    return this.#answerOf({ to: target, port, ...request, attempt: Math.max(1, this.ofCase(id).own.length) });
  }
}

function answer2(stream: ServerHttp2Stream, { status, headers = [], grpcStatus }: ApplicationAnswer, grpc: boolean): void {
  const own = Object.fromEntries(headers);
  if (!grpc || grpcStatus === undefined) {
    stream.respond({ ...own, ":status": status });
    stream.end("echo");
    return;
  }
  const code = String(Math.max(0, GRPC_STATUS.indexOf(grpcStatus)));
  const head = { ...own, ":status": status, "content-type": "application/grpc" };
  // Failures as servers send them: with nothing but trailers, which then are headers.
  if (code !== "0") return stream.respond({ ...head, "grpc-status": code }, { endStream: true });
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": code }));
  stream.end(Buffer.from([0, 0, 0, 0, 0]));
}

export function nameOf(target: Target): string {
  return "external" in target ? `external:${target.external}` : target.name;
}
