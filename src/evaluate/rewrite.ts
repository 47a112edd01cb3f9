import type { RouteAction, RouteMatch } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { type HttpMessage, splitQuery, valuesOf, withHeader } from "./http-message.ts";
import { lowerAscii, replaceAll } from "./string-match.ts";
import { Undecidable } from "./undecidable.ts";

/** Host and path as the route wants them upstream; Envoy tells the application of the ones that were there. */
export function rewrite(action: RouteAction, match: RouteMatch | undefined, message: HttpMessage): HttpMessage {
  return rewritePath(action, match, rewriteHost(action, message));
}

function rewriteHost({ hostRewriteSpecifier: wanted, appendXForwardedHost }: RouteAction, message: HttpMessage): HttpMessage {
  const authority = hostOf(wanted, message);
  if (authority === undefined || authority === message.authority) return message;
  const original = appendXForwardedHost ? withHeader(message, "x-forwarded-host", message.authority) : message;
  return { ...withHeader(original, "x-envoy-original-host", message.authority), authority };
}

function hostOf(wanted: RouteAction["hostRewriteSpecifier"], message: HttpMessage): string | undefined {
  switch (wanted.case) {
    case undefined:
      return undefined;
    case "hostRewriteLiteral":
      return wanted.value;
    case "hostRewriteHeader":
      return valuesOf(message, lowerAscii(wanted.value))[0];
    case "hostRewritePathRegex":
      return replaceAll(wanted.value.pattern?.regex ?? "", wanted.value.substitution, splitQuery(message.path)[0]);
    default:
      throw new Undecidable(`host rewrite ${wanted.case}`);
  }
}

function rewritePath(
  { prefixRewrite, regexRewrite, pathRewritePolicy }: RouteAction,
  match: RouteMatch | undefined,
  message: HttpMessage,
): HttpMessage {
  if (pathRewritePolicy !== undefined) throw new Undecidable("a path rewrite policy");
  const [path, query] = splitQuery(message.path);
  const changed =
    regexRewrite !== undefined
      ? replaceAll(regexRewrite.pattern?.regex ?? "", regexRewrite.substitution, path)
      : prefixRewrite !== ""
        ? rewritePrefix(path, match, prefixRewrite)
        : undefined;
  // A path of which nothing would be left stays as it is, whatever its query.
  if (changed === undefined || changed === "") return message;
  return { ...withHeader(message, "x-envoy-original-path", message.path), path: changed + query };
}

/** What the route's condition matched, replaced; of an expression or an exact path that is all of it. */
export function rewritePrefix(path: string, match: RouteMatch | undefined, replacement: string): string {
  const wanted = match?.pathSpecifier;
  const length = wanted?.case === "prefix" || wanted?.case === "pathSeparatedPrefix" ? wanted.value.length : path.length;
  return replacement + path.slice(length);
}
