import { connect } from "node:net";

export interface RawReply {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** One HTTP/1.1 request byte for byte as given, on a connection that ends with it. Undefined where the connection ended without an answer. */
export function sendRaw(port: number, { method, path, authority, headers }: RawRequest): Promise<RawReply | undefined> {
  const lines = [["host", authority], ...headers, ["connection", "close"]].map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1")),
    );
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer to ${method} ${path} on port ${port}`)));
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      const text = Buffer.concat(chunks).toString("latin1");
      // Envoy keeps the connection for a second more; nobody waits for that.
      if (isWholeReply(text, method)) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(parseReply(Buffer.concat(chunks).toString("latin1"))));
  });
}

export function isWholeReply(text: string, method = "GET"): boolean {
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end).toLowerCase();
  if (end !== -1 && (method === "HEAD" || head.startsWith("http/1.1 204"))) return true;
  if (end === -1 || head.includes("transfer-encoding: chunked")) return end !== -1 && text.endsWith("\r\n0\r\n\r\n");
  const length = /content-length: (\d+)/.exec(head)?.[1];
  return length !== undefined && text.length >= end + 4 + Number(length);
}

export function parseReply(text: string): RawReply | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const chunked = headers.some(([name, value]) => name === "transfer-encoding" && value === "chunked");
  const rest = text.slice(end + 4);
  const status = Number(first.split(" ")[1]);
  // Whatever follows a 204 is not its body (RFC 9110, section 15.3.5).
  return { status, headers, body: status === 204 ? "" : chunked ? withoutChunks(rest) : rest };
}

function withoutChunks(text: string): string {
  let body = "";
  for (let at = 0; at < text.length; ) {
    const line = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (line === -1 || !(size > 0)) break;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
  return body;
}
