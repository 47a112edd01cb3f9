import type { HeaderMatch, StringMatch } from "../../ir/match.ts";
import type { RouteMatch } from "../../ir/route.ts";
import type { VirtualServiceSpec } from "../../mesh/index.ts";
import { checkRegex } from "./route-regex.ts";

export type HttpRoute = NonNullable<VirtualServiceSpec["http"]>[number];
export type HttpMatch = NonNullable<HttpRoute["match"]>[number];

/** A StringMatch as Istio's API has it. */
export interface StringMatchSpec {
  readonly exact?: string;
  readonly prefix?: string;
  readonly regex?: string;
}

export type TranslatedMatch = { readonly match: RouteMatch } | { readonly problem: string; readonly field: string };

const EVERY_PATH: RouteMatch = { path: { kind: "prefix", value: "/" }, headers: [], query: [] };

/** Routing by claims needs the token's payload where routes are chosen. */
const CLAIM_HEADER = "@request.auth.claims";

/** What Envoy compares; a match that can't be expressed exactly is a problem, never a wider match. */
export function toRouteMatch(match: HttpMatch | undefined): TranslatedMatch {
  if (match === undefined) return { match: EVERY_PATH };
  const problem = findProblem(match);
  if (problem !== undefined) return problem;
  return {
    match: {
      path: toPath(match),
      headers: toHeaders(match),
      query: sorted(match.queryParams).map(([name, value]) => ({ name, value: toValue(value) })),
    },
  };
}

/** Nothing after such a route can be reached. */
export function isCatchAll({ path, headers, query }: RouteMatch): boolean {
  const everyPath = (path.kind === "prefix" && path.value === "/") || (path.kind === "regex" && path.value === ".*");
  return everyPath && headers.length === 0 && query.length === 0;
}

export function toStringMatch({ exact, prefix, regex }: StringMatchSpec): StringMatch | undefined {
  if (exact !== undefined) return { kind: "exact", value: exact };
  if (prefix !== undefined) return { kind: "prefix", value: prefix };
  return regex === undefined ? undefined : { kind: "regex", value: regex };
}

function toPath({ uri, ignoreUriCase = false }: HttpMatch): RouteMatch["path"] {
  const value = uri === undefined ? undefined : toStringMatch(uri);
  if (value === undefined) return EVERY_PATH.path;
  if (value.kind === "regex") return { kind: "regex", value: value.value };
  return { kind: value.kind === "exact" ? "exact" : "prefix", value: value.value, ...(ignoreUriCase && { ignoreCase: true }) };
}

function toHeaders(match: HttpMatch): readonly HeaderMatch[] {
  const headers = sorted(match.headers).map(([name, value]): HeaderMatch => ({ name, value: toValue(value) }));
  const without = sorted(match.withoutHeaders).map(([name, value]): HeaderMatch => ({ name, value: toValue(value), invert: true }));
  const pseudo = (
    [
      [":method", match.method],
      [":authority", match.authority],
      [":scheme", match.scheme],
    ] as const
  ).flatMap(([name, value]): readonly HeaderMatch[] => (value === undefined ? [] : [{ name, value: toValue(value) }]));
  return [...headers, ...without, ...pseudo];
}

/** Nothing to compare with, or Istio's `*`: it is enough that the header is there. */
function toValue(spec: StringMatchSpec): HeaderMatch["value"] {
  if (spec.regex === "*") return { kind: "present" };
  return toStringMatch(spec) ?? { kind: "present" };
}

function sorted(values: Readonly<Record<string, StringMatchSpec>> | undefined): readonly (readonly [string, StringMatchSpec])[] {
  return Object.entries(values ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function findProblem(match: HttpMatch): { readonly problem: string; readonly field: string } | undefined {
  const named = { uri: match.uri, scheme: match.scheme, method: match.method, authority: match.authority };
  for (const [field, value] of Object.entries(named)) {
    const problem = value === undefined ? undefined : problemOf(value);
    if (problem !== undefined) return { problem, field };
  }
  if (match.uri?.prefix === "") return { problem: "an empty prefix matches nothing", field: "uri" };
  for (const field of ["headers", "withoutHeaders", "queryParams"] as const) {
    for (const [name, value] of sorted(match[field])) {
      if (name.startsWith(CLAIM_HEADER)) return { problem: "routing by a token's claims is not honoured yet", field };
      if (name === "") return { problem: "a name is empty", field };
      const problem = value.regex === "*" ? undefined : problemOf(value);
      if (problem !== undefined) return { problem: `"${name}": ${problem}`, field };
    }
  }
  return undefined;
}

function problemOf({ regex }: StringMatchSpec): string | undefined {
  const problem = regex === undefined ? undefined : checkRegex(regex);
  return problem === undefined ? undefined : `the expression can't be used: ${problem}`;
}
