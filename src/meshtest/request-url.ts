/** What a request's URL says, split as a client splits it. */
export interface RequestUrl {
  readonly text: string;
  readonly scheme: Scheme;
  /** As written; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
  /** `host`, with the port where it is not the scheme's own. */
  readonly authority: string;
  /** Path and query as a client sends them: dot segments removed, the rest escaped. */
  readonly path: string;
}

export type Scheme = "http" | "https" | "grpc" | "grpcs" | "ws" | "wss" | "tcp" | "tls";

const SCHEMES: ReadonlySet<string> = new Set(["http", "https", "grpc", "grpcs", "ws", "wss", "tcp", "tls"]);
const WITH_TLS: ReadonlySet<Scheme> = new Set(["https", "grpcs", "wss", "tls"]);
const URL_FORM = /^([a-z]+):\/\/(\[[0-9A-Fa-f:.]+\]|[^/?#:@[\]\s]+)(?::(\d{1,5}))?([/?#].*)?$/;

export function isTlsScheme(scheme: Scheme): boolean {
  return WITH_TLS.has(scheme);
}

/** Reads a URL; a text is what is wrong with it. */
export function readUrl(text: string): RequestUrl | string {
  const [, scheme = "", host = "", port, rest = ""] = URL_FORM.exec(text) ?? [];
  if (host === "") return "it must be scheme://host[:port]/path";
  if (!isScheme(scheme)) return `its scheme must be one of ${[...SCHEMES].join(", ")}`;
  const own = isTlsScheme(scheme) ? 443 : 80;
  const number = port === undefined ? own : Number(port);
  if (number < 1 || number > 65_535) return `${number} is no port`;
  const path = normalised(rest);
  if (path === undefined) return "its path can't be read";
  return { text, scheme, host: host.replace(/^\[|\]$/g, ""), port: number, authority: number === own ? host : `${host}:${number}`, path };
}

function isScheme(text: string): text is Scheme {
  return SCHEMES.has(text);
}

function normalised(rest: string): string | undefined {
  try {
    const { pathname, search } = new URL(`http://host${rest.startsWith("/") ? "" : "/"}${rest}`);
    return pathname + search;
  } catch {
    return undefined;
  }
}
