import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { Request } from "../evaluate/index.ts";
import type { HeaderLines } from "../evaluate/http-message.ts";
import { isWholeReply, parseReply } from "./raw-http.ts";
import type { KeyAndChain } from "../meshtest/real/certificates.ts";

/** What a client saw. */
export type Seen =
  | { readonly kind: "response"; readonly status: number; readonly headers: HeaderLines; readonly trailers: HeaderLines }
  | { readonly kind: "open" | "closed" };

export interface Dialling {
  readonly port: number;
  /** Where the connection says that it comes from and went to, in a PROXY header (version 1). */
  readonly source: string;
  readonly destination: Request["destination"];
  readonly certificate?: KeyAndChain;
}

const DEADLINE_MS = 10_000;

/** Sends one request over a connection of its own; `bytes` is what a TCP or TLS client says. */
export async function sendWire(request: Request, dialling: Dialling, bytes: string): Promise<Seen> {
  const socket = await dial(dialling);
  try {
    const stream = request.tls === undefined ? socket : await secure(socket, request.tls, dialling.certificate);
    if (stream === undefined) return { kind: "closed" };
    switch (request.protocol) {
      case "http1":
      case "websocket":
        return await sendHttp1(stream, request);
      case "http2":
      case "grpc":
        return await sendHttp2(stream, request);
      default:
        return await sendBytes(stream, bytes);
    }
  } finally {
    socket.destroy();
  }
}

function dial({ port, source, destination }: Dialling): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress: source }, () => {
      socket.write(`PROXY TCP4 ${source} ${destination.address} ${socket.localPort ?? 0} ${destination.port}\r\n`);
      resolve(socket);
    });
    socket.once("error", reject);
    socket.on("error", () => socket.destroy());
  });
}

function secure(socket: Socket, { sni, alpn }: NonNullable<Request["tls"]>, certificate?: KeyAndChain): Promise<Duplex | undefined> {
  return new Promise((resolve) => {
    const secured = connectTls({
      socket,
      rejectUnauthorized: false,
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
      ...(sni !== undefined && sni !== "" && { servername: sni }),
      ...(certificate !== undefined && { cert: certificate.chainPem, key: certificate.keyPem }),
    });
    secured.once("secureConnect", () => resolve(secured));
    secured.on("error", () => resolve(undefined));
    secured.on("close", () => resolve(undefined));
  });
}

/** An echo is an open connection; what a proxy says of bytes that it can't read is none. */
function sendBytes(stream: Duplex, bytes: string): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("a connection neither answered nor ended")), DEADLINE_MS);
    const end = (kind: "open" | "closed") => {
      clearTimeout(limit);
      resolve({ kind });
    };
    stream.on("data", (answer: Buffer) => end(bytes.startsWith(answer.toString("latin1")) ? "open" : "closed"));
    stream.on("error", () => end("closed"));
    stream.on("close", () => end("closed"));
    stream.on("end", () => end("closed"));
    stream.write(bytes);
  });
}

function sendHttp1(stream: Duplex, { method, path, authority, headers, protocol }: Request): Promise<Seen> {
  const websocket = protocol === "websocket";
  const upgrade = websocket
    ? ([
        ["connection", "Upgrade"],
        ["upgrade", "websocket"],
      ] as const)
    : ([["connection", "close"]] as const);
  const lines = [["host", authority] as const, ...headers, ...upgrade].map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`no answer to ${method} ${path}`)), DEADLINE_MS);
    let text = "";
    const end = () => {
      clearTimeout(limit);
      const reply = parseReply(text);
      resolve(reply === undefined ? { kind: "closed" } : { kind: "response", status: reply.status, headers: reply.headers, trailers: [] });
    };
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (isWholeReply(text) || (websocket && text.includes("\r\n\r\n"))) end();
    });
    stream.on("error", end);
    stream.on("close", end);
    stream.write(Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1"));
  });
}

function sendHttp2(stream: Duplex, { method, path, authority, headers, protocol, tls }: Request): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`no answer to ${method} ${path}`)), DEADLINE_MS);
    const session = connectHttp2("http://unused", { createConnection: () => stream });
    const end = (seen: Seen) => {
      clearTimeout(limit);
      session.destroy();
      resolve(seen);
    };
    session.on("error", () => end({ kind: "closed" }));
    session.on("close", () => end({ kind: "closed" }));
    const own: Record<string, string | string[]> = {
      ":method": method,
      ":path": path,
      ":authority": authority,
      ":scheme": tls === undefined ? "http" : "https",
    };
    for (const [name, value] of headers) own[name] = name in own ? [own[name] ?? "", value].flat() : value;
    if (protocol === "grpc") own["content-type"] ??= "application/grpc";
    const sent = session.request(own, { endStream: true });
    let head: HeaderLines = [];
    let status = 0;
    let trailers: HeaderLines = [];
    sent.on("response", (answer, _flags, raw) => {
      status = Number(answer[":status"]);
      head = toLines(raw);
    });
    sent.on("trailers", (_answer, _flags, raw) => (trailers = toLines(raw)));
    sent.on("error", () => {});
    sent.resume();
    sent.on("close", () => end(status === 0 ? { kind: "closed" } : { kind: "response", status, headers: head, trailers }));
  });
}

function toLines(raw: readonly string[]): HeaderLines {
  return raw.flatMap((name, i) => (i % 2 === 0 && !name.startsWith(":") ? [[name, raw[i + 1] ?? ""] as const] : []));
}
