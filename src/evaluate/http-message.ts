import { lowerAscii } from "./string-match.ts";

export type HeaderLines = readonly (readonly [string, string])[];

/** A request as it stands between two filters. Header names are lower case; `:` names and `host` live in fields of their own. */
export interface HttpMessage {
  readonly version: "http1" | "http2";
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly path: string;
  readonly headers: HeaderLines;
  /** Names of headers that proxies wrote with values of their own making. */
  readonly generated: readonly string[];
  /** Absent: none. */
  readonly body?: Uint8Array;
  /** In a check by gRPC: the headers of the request that it asks about. */
  readonly checks?: HeaderLines;
}

/** All values of a header, in order. */
export function valuesOf(message: HttpMessage, name: string): readonly string[] {
  switch (name) {
    case ":method":
      return [message.method];
    case ":authority":
    case "host":
      return [message.authority];
    case ":path":
      return [message.path];
    case ":scheme":
      return [message.scheme];
    default:
      return message.headers.filter(([key]) => key === name).map(([, value]) => value);
  }
}

/** The value that Envoy's matchers see: all lines joined by commas. */
export function valueOf(message: HttpMessage, name: string): string | undefined {
  const values = valuesOf(message, name);
  return values.length === 0 ? undefined : values.join(",");
}

export function withHeader(message: HttpMessage, name: string, value: string): HttpMessage {
  const others = withoutHeaders(message, [name]);
  return { ...others, headers: [...others.headers, [name, value]] };
}

/** A line more. */
export function withLine(message: HttpMessage, name: string, value: string): HttpMessage {
  return { ...message, headers: [...message.headers, [name, value]] };
}

/** A header that is there with a value that nobody can foretell. */
export function withGenerated(message: HttpMessage, name: string): HttpMessage {
  const given = withHeader(message, name, "");
  return { ...given, generated: [...given.generated, name] };
}

export function withoutHeaders(message: HttpMessage, names: readonly string[]): HttpMessage {
  const gone = new Set(names);
  if (!message.headers.some(([key]) => gone.has(key))) return message;
  return {
    ...message,
    headers: message.headers.filter(([key]) => !gone.has(key)),
    generated: message.generated.filter((name) => !gone.has(name)),
  };
}

/** The two headers of HTTP/1 that tell where a body ends. */
export const FRAMING = ["transfer-encoding", "content-length"];

/** Whether there is a body, and nothing that tells HTTP/1 where it ends. */
export function isUnmeasured(message: HttpMessage): boolean {
  return message.body !== undefined && FRAMING.every((name) => valuesOf(message, name).length === 0);
}

/** What proxies make up has no value here, but a length: that of a request's id is always the same. */
const MADE_BYTES: Readonly<Record<string, number>> = { "x-request-id": 36 };

/** So many bytes a codec counts against its limit: HTTP/1 all that stands before the body, HTTP/2 names and values, those that begin with `:` too. */
export function headBytes({ version, method, path, scheme, authority, headers, generated }: HttpMessage): number {
  const isHttp1 = version === "http1";
  const all: HeaderLines = isHttp1
    ? [["host", authority], ...headers]
    : [[":method", method], [":path", path], [":scheme", scheme], [":authority", authority], ...headers];
  const lines = all.map(([name, value]) => {
    const made = generated.includes(name) ? (MADE_BYTES[name] ?? 0) : 0;
    return name.length + value.length + made + (isHttp1 ? ": \r\n".length : 0);
  });
  const first = isHttp1 ? `${method} ${path} HTTP/1.1\r\n\r\n`.length : 0;
  return lines.reduce((sum, bytes) => sum + bytes, first);
}

/** As a codec reads them: names in lower case, no blanks around values. */
export function readLines(headers: HeaderLines): HeaderLines {
  return headers.map(([name, value]) => [lowerAscii(name), value.replace(/^[ \t]+|[ \t]+$/g, "")]);
}

export function isGrpc(message: HttpMessage): boolean {
  const type = valuesOf(message, "content-type")[0] ?? "";
  return type === "application/grpc" || type.startsWith("application/grpc+") || type.startsWith("application/grpc;");
}

/** What the client wants to change to, in lower case: `Connection` has to say that `Upgrade` is meant for this hop. HTTP/2 knows none. */
export function upgradeOf(message: HttpMessage): string | undefined {
  if (message.version === "http2") return undefined;
  const tokens = valuesOf(message, "connection").flatMap((line) => line.split(","));
  if (!tokens.some((token) => lowerAscii(token.trim()) === "upgrade")) return undefined;
  return valuesOf(message, "upgrade")[0]?.toLowerCase();
}

export function isWebSocket(message: HttpMessage): boolean {
  return upgradeOf(message) === "websocket";
}

/** The path before `?`, and the rest with it. */
export function splitQuery(path: string): readonly [string, string] {
  const mark = path.indexOf("?");
  return mark === -1 ? [path, ""] : [path.slice(0, mark), path.slice(mark)];
}

/** The first value of each name in the query, undecoded, as Envoy's matchers read it. */
export function queryOf(path: string): ReadonlyMap<string, string> {
  const [, query] = splitQuery(path);
  const found = new Map<string, string>();
  for (const pair of query.slice(1).split("#")[0]?.split("&") ?? []) {
    const mark = pair.indexOf("=");
    const [name, value] = mark === -1 ? [pair, ""] : [pair.slice(0, mark), pair.slice(mark + 1)];
    if (!found.has(name)) found.set(name, value);
  }
  return found;
}
