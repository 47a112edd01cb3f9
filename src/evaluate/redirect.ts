import {
  RedirectAction_RedirectResponseCode as Code,
  type RedirectAction,
  type Route,
} from "../gen/envoy/config/route/v3/route_components_pb.js";
import { type HttpMessage, splitQuery } from "./http-message.ts";
import { rewritePrefix } from "./rewrite.ts";
import { replaceAll } from "./string-match.ts";
import { portStart } from "./virtual-host-match.ts";

const STATUS: Readonly<Record<Code, number>> = {
  [Code.MOVED_PERMANENTLY]: 301,
  [Code.FOUND]: 302,
  [Code.SEE_OTHER]: 303,
  [Code.TEMPORARY_REDIRECT]: 307,
  [Code.PERMANENT_REDIRECT]: 308,
};

export interface Redirected {
  readonly status: number;
  readonly location: string;
}

/** Where a redirect sends the client. */
export function redirectOf(action: RedirectAction, route: Route, message: HttpMessage): Redirected {
  const scheme = schemeOf(action) ?? message.scheme;
  const host = action.hostRedirect !== "" ? action.hostRedirect : hostFor(message, scheme, action.portRedirect);
  const port = action.portRedirect === 0 ? "" : `:${action.portRedirect}`;
  const path = pathOf(action, route, message);
  return { status: STATUS[action.responseCode], location: `${scheme}://${host}${port}${path.startsWith("/") ? "" : "/"}${path}` };
}

function schemeOf({ schemeRewriteSpecifier: wanted }: RedirectAction): string | undefined {
  if (wanted.case === "schemeRedirect") return wanted.value;
  return wanted.case === "httpsRedirect" && wanted.value ? "https" : undefined;
}

/** The request's own host, without a port that is replaced or that goes without saying. */
function hostFor({ authority, scheme }: HttpMessage, newScheme: string, newPort: number): string {
  const colon = portStart(authority);
  if (colon === -1) return authority;
  const port = authority.slice(colon + 1);
  const goesWithout = newScheme !== scheme && ((scheme === "http" && port === "80") || (scheme === "https" && port === "443"));
  return newPort !== 0 || goesWithout ? authority.slice(0, colon) : authority;
}

function pathOf({ pathRewriteSpecifier: wanted, stripQuery }: RedirectAction, route: Route, message: HttpMessage): string {
  const [path, query] = splitQuery(message.path);
  const rest = stripQuery ? "" : query;
  switch (wanted.case) {
    case "pathRedirect":
      return wanted.value.includes("?") ? wanted.value : wanted.value + rest;
    case "prefixRewrite":
      return rewritePrefix(path, route.match, wanted.value) + rest;
    case "regexRewrite":
      return replaceAll(wanted.value.pattern?.regex ?? "", wanted.value.substitution, path) + rest;
    default:
      return path + rest;
  }
}
