import type { JwtProvider } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { type HttpMessage, queryOf, splitQuery, valuesOf, withoutHeaders } from "./http-message.ts";
import { lowerAscii } from "./string-match.ts";

/** A token as it stands in a request. */
export interface Found {
  readonly text: string;
  /** Issuers of the providers that look in its place: no other's token counts there. */
  readonly issuers: readonly string[];
}

/** Every token where these providers look, in the order in which Envoy verifies them: cookies, parameters, headers, the last name first. */
export function tokensOf(providers: readonly JwtProvider[], message: HttpMessage): readonly Found[] {
  const places = new Map<string, Place>();
  for (const provider of providers) {
    const add = (key: string, texts: Place["texts"]) => {
      const issuers = [...(places.get(key)?.issuers ?? []), provider.issuer];
      places.set(key, { texts, issuers });
    };
    const { headers, params } = placesOf(provider);
    for (const { name, valuePrefix } of headers) add(`1 ${lowerAscii(name)}${valuePrefix}`, () => headerTokens(message, name, valuePrefix));
    for (const name of params) add(`2 ${name}`, () => [decoded(queryOf(message.path).get(name)) ?? []].flat());
    for (const name of provider.fromCookies) add(`3 ${name}`, () => [cookieOf(message, name) ?? []].flat());
  }
  const sorted = [...places].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([, { texts, issuers }]) => texts().map((text) => ({ text, issuers }))).toReversed();
}

interface Place {
  readonly texts: () => readonly string[];
  readonly issuers: readonly string[];
}

/** Each line of the header may hold one. */
function headerTokens(message: HttpMessage, name: string, prefix: string): readonly string[] {
  return valuesOf(message, lowerAscii(name)).flatMap((line) => afterPrefix(line, prefix) ?? []);
}

/** Where nothing is said, tokens stand in `Authorization` or the parameter `access_token`. */
function placesOf({ fromHeaders, fromParams, fromCookies }: JwtProvider) {
  const nowhere = fromHeaders.length + fromParams.length + fromCookies.length === 0;
  if (nowhere) return { headers: [{ name: "authorization", valuePrefix: "Bearer " }], params: ["access_token"] };
  return { headers: fromHeaders, params: fromParams };
}

/** What stands behind the prefix, wherever that is, from the first letter that a token may have; without such a letter all of the line. */
function afterPrefix(line: string, prefix: string): string | undefined {
  if (prefix === "") return line;
  const at = line.indexOf(prefix);
  if (at === -1) return undefined;
  const rest = line.slice(at + prefix.length);
  const start = rest.search(/[\w.-]/);
  return start === -1 ? line : rest.slice(start);
}

/** Escape by escape: a `%` that begins none stays. */
function decoded(text: string | undefined): string | undefined {
  return text?.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

function cookieOf(message: HttpMessage, name: string): string | undefined {
  const pairs = valuesOf(message, "cookie").flatMap((line) => line.split(";"));
  const found = pairs.map((pair) => pair.trim()).find((pair) => pair.startsWith(`${name}=`));
  const value = found?.slice(name.length + 1).replace(/^"(.*)"$/, "$1");
  return value === "" ? undefined : value;
}

/** The request without the token that a provider found in it; cookies stay. */
export function withoutToken(message: HttpMessage, provider: JwtProvider): HttpMessage {
  const { headers, params } = placesOf(provider);
  const holding = headers.filter(({ name, valuePrefix }) => headerTokens(message, name, valuePrefix).length > 0);
  return withoutQuery(
    withoutHeaders(
      message,
      holding.map(({ name }) => lowerAscii(name)),
    ),
    params,
  );
}

/** Envoy writes what is left anew: decoded, and in the order of the names. */
function withoutQuery(message: HttpMessage, params: readonly string[]): HttpMessage {
  const [path, query] = splitQuery(message.path);
  const pairs = (query === "" ? [] : query.slice(1).split("&")).map((pair) => {
    const [name = "", ...value] = pair.split("=");
    return [decoded(name) ?? "", decoded(value.join("=")) ?? ""] as const;
  });
  const left = pairs.filter(([name]) => !params.includes(name));
  if (left.length === pairs.length) return message;
  const sorted = left.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([name, value]) => `${name}=${value}`);
  return { ...message, path: sorted.length === 0 ? path : `${path}?${sorted.join("&")}` };
}
