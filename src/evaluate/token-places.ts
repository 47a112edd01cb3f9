import type { JwtProvider } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { type HttpMessage, queryOf, splitQuery, valuesOf, withoutHeaders } from "./http-message.ts";
import { lowerAscii } from "./string-match.ts";

/** A token as it stands in a request. */
export interface Found {
  readonly text: string;
  /** Issuers of the providers that look in its place: no other's token counts there. */
  readonly issuers: readonly string[];
}

/** Every token in the places where these providers look. */
export function tokensOf(providers: readonly JwtProvider[], message: HttpMessage): readonly Found[] {
  const found = new Map<string, Found>();
  for (const provider of providers) {
    const add = (place: string, text: string | undefined) => {
      if (text !== undefined) found.set(place, { text, issuers: [...(found.get(place)?.issuers ?? []), provider.issuer] });
    };
    const { headers, params } = placesOf(provider);
    for (const { name, valuePrefix } of headers)
      add(`header ${lowerAscii(name)} ${valuePrefix}`, afterPrefix(valuesOf(message, lowerAscii(name))[0], valuePrefix));
    for (const name of params) add(`param ${name}`, decoded(queryOf(message.path).get(name)));
    for (const name of provider.fromCookies) add(`cookie ${name}`, cookieOf(message, name));
  }
  return [...found.values()];
}

/** Where nothing is said, tokens stand in `Authorization` or the parameter `access_token`. */
function placesOf({ fromHeaders, fromParams, fromCookies }: JwtProvider) {
  const nowhere = fromHeaders.length + fromParams.length + fromCookies.length === 0;
  if (nowhere) return { headers: [{ name: "authorization", valuePrefix: "Bearer " }], params: ["access_token"] };
  return { headers: fromHeaders, params: fromParams };
}

/** The first word behind the prefix, wherever that stands. */
function afterPrefix(value: string | undefined, prefix: string): string | undefined {
  const at = value?.indexOf(prefix) ?? -1;
  const text = value === undefined || at === -1 ? "" : value.slice(at + prefix.length).trimStart();
  return text === "" ? undefined : (text.split(" ")[0] ?? text);
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return text;
  }
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
  const holding = headers.filter(({ name, valuePrefix }) => afterPrefix(valuesOf(message, lowerAscii(name))[0], valuePrefix) !== undefined);
  return withoutQuery(
    withoutHeaders(
      message,
      holding.map(({ name }) => lowerAscii(name)),
    ),
    params,
  );
}

function withoutQuery(message: HttpMessage, params: readonly string[]): HttpMessage {
  const [path, query] = splitQuery(message.path);
  const pairs = query === "" ? [] : query.slice(1).split("&");
  const left = pairs.filter((pair) => !params.includes(pair.split("=")[0] ?? ""));
  return left.length === pairs.length ? message : { ...message, path: left.length === 0 ? path : `${path}?${left.join("&")}` };
}
