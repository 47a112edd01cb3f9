import { isIp } from "../base/cidr.ts";
import { parseDuration } from "../base/duration.ts";
import { parseIdentity } from "../model/identity.ts";
import { isRecord } from "../schema/shape.ts";
import { checkAgainst } from "./check-against.ts";
import type { Caller, RequestSpec, TokenSpec } from "./document.ts";
import type { Complain, RawCaller, RawRecord, RawRequest, RawToken } from "./raw.ts";
import { isTlsScheme, readUrl, type RequestUrl } from "./request-url.ts";

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const HOUR_MS = 3_600_000;
const CERTIFICATES = ["valid", "wrong-ca", "expired"];

export function readCaller(raw: RawCaller, complain: Complain): Caller {
  const kinds = (["workload", "gateway", "outside"] as const).filter((kind) => raw[kind] !== undefined);
  const [kind = "workload", second] = kinds;
  if (kinds.length === 0) complain([], "from must say who calls", "set workload, gateway or outside");
  if (second !== undefined) complain([second], `from.${second} can't stand beside ${kind}`, "keep one of them");
  const { clientIp, clientCert } = raw;
  for (const field of ["clientIp", "clientCert"] as const)
    if (kind === "workload" && raw[field] !== undefined)
      complain([field], `${field} needs a caller outside the mesh`, "use gateway or outside");
  if (clientIp !== undefined && !isIp(clientIp)) complain(["clientIp"], `${JSON.stringify(clientIp)} is no IP address`);
  if (clientCert !== undefined && !CERTIFICATES.includes(clientCert) && parseIdentity(clientCert) === undefined)
    complain(
      ["clientCert"],
      `${JSON.stringify(clientCert)} is no certificate`,
      `use ${CERTIFICATES.join(", ")} or spiffe://DOMAIN/ns/NAMESPACE/sa/NAME`,
    );
  return { kind, workload: raw[kind] ?? "", ...(clientIp !== undefined && { clientIp }), ...(clientCert !== undefined && { clientCert }) };
}

const UNREADABLE: RequestUrl = { text: "", scheme: "http", host: "unknown", port: 80, authority: "unknown", path: "/" };

export function readRequest(raw: RawRequest, complain: Complain): RequestSpec {
  const { method = "GET", rawPath, sni, http2 = false, repeat = 1, concurrency = 1 } = raw;
  const read = readUrl(raw.url);
  if (typeof read === "string") complain(["url"], `request.url can't be used: ${read}`);
  const url = typeof read === "string" ? UNREADABLE : read;
  if (!TOKEN.test(method)) complain(["method"], `${JSON.stringify(method)} is no method`);
  if (sni !== undefined && typeof read !== "string" && !isTlsScheme(url.scheme))
    complain(["sni"], `sni has no meaning for ${url.scheme}`, "use https, grpcs, wss or tls");
  const headers = readHeaders(raw.headers ?? {}, complain);
  const authority = headers.find(([name]) => name === "host")?.[1];
  return {
    url,
    method,
    headers: headers.filter(([name]) => name !== "host"),
    ...(authority !== undefined && { authority }),
    body: readBody(raw, complain),
    ...(rawPath !== undefined && { rawPath }),
    ...(sni !== undefined && { sni }),
    tokens: readTokens(raw.token, complain),
    http2,
    repeat,
    concurrency,
  };
}

/** What `bodyBytes` stands for. */
const FILLER = "0123456789abcdef";

function readBody({ body, bodyBytes }: RawRequest, complain: Complain): string {
  if (bodyBytes === undefined) return body ?? "";
  if (body !== undefined) complain(["bodyBytes"], "bodyBytes can't stand beside body", "keep one of them");
  return FILLER.repeat(Math.ceil(bodyBytes / FILLER.length)).slice(0, bodyBytes);
}

function readHeaders(raw: RawRecord, complain: Complain): readonly (readonly [string, string])[] {
  return Object.entries(raw).flatMap(([name, value]) => {
    if (!TOKEN.test(name)) complain(["headers", name], `${JSON.stringify(name)} is no header's name`);
    const lines: readonly unknown[] = Array.isArray(value) ? value : [value];
    return lines.flatMap((line, i) => {
      if (typeof line === "string") return [[name.toLowerCase(), line] as const];
      complain(
        Array.isArray(value) ? ["headers", name, i] : ["headers", name],
        `header ${name} must be a text, or a list of texts`,
        "put it in quotes",
      );
      return [];
    });
  });
}

function readTokens(raw: unknown, complain: Complain): readonly TokenSpec[] {
  if (raw === undefined || raw === null) return [];
  const list: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
  return list.flatMap((item, i) => {
    const within: Complain = (path, message, help) => complain(["token", ...(Array.isArray(raw) ? [i] : []), ...path], message, help);
    let isRight = true;
    checkAgainst("Token", item, [], (...complaint) => {
      isRight = false;
      within(...complaint);
    });
    return isRight && isRecord(item) ? [readToken(item as unknown as RawToken, within)] : [];
  });
}

function readToken(raw: RawToken, complain: Complain): TokenSpec {
  const { issuer, subject, audiences, claims = {}, signedBy = "issuer", header, prefix, query } = raw;
  if (query !== undefined && (header ?? prefix) !== undefined)
    complain(["query"], "query can't stand beside header or prefix", "keep one of them");
  if (header !== undefined && !TOKEN.test(header)) complain(["header"], `${JSON.stringify(header)} is no header's name`);
  return {
    issuer,
    ...(subject !== undefined && { subject }),
    ...(audiences !== undefined && { audiences }),
    claims,
    expiresInMs: readOffset(raw.expiresIn, HOUR_MS, ["expiresIn"], complain),
    notBeforeMs: readOffset(raw.notBefore, 0, ["notBefore"], complain),
    signedBy,
    place: query === undefined ? { header: (header ?? "authorization").toLowerCase(), prefix: prefix ?? "Bearer " } : { query },
  };
}

function readOffset(text: string | undefined, fallback: number, path: readonly [string], complain: Complain): number {
  if (text === undefined) return fallback;
  const isNegative = text.startsWith("-");
  const milliseconds = parseDuration(isNegative ? text.slice(1) : text);
  if (milliseconds === undefined) complain(path, `${path[0]} is no duration`, 'write "5m", "1h30m", or "-300s" for the past');
  return (isNegative ? -1 : 1) * (milliseconds ?? 0);
}
