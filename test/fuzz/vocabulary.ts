import type { Draw } from "./draw.ts";

/** A StringMatch as Istio's API has it. */
export interface StringMatch {
  readonly exact?: string;
  readonly prefix?: string;
  readonly regex?: string;
}

export const PATHS = [
  "/",
  "/api",
  "/api/",
  "/api/v1",
  "/api/v2/items",
  "/items",
  "/items/42",
  "/admin",
  "/Admin",
  "/static/app.css",
].concat(["/a%2Fb", "/a/b", "/a.b"]);
/** Expressions with what they match, and what they only just don't. */
interface Near {
  readonly matched: readonly string[];
  readonly missed: readonly string[];
}

const PATH_REGEXES: Readonly<Record<string, Near>> = {
  "/api/v[0-9]+": { matched: ["/api/v1", "/api/v22"], missed: ["/api/v", "/api/v1/", "/x/api/v1"] },
  "/items/[0-9]+(/.*)?": { matched: ["/items/7", "/items/42/parts", "/items/42/"], missed: ["/items/", "/items/4x"] },
  ".*\\.css": { matched: ["/static/app.css", "/.css", "/app.css?v=1"], missed: ["/app.cssx", "/app.CSS"] },
  "/(api|items)/.*": { matched: ["/api/", "/items/x", "/api//"], missed: ["/api", "/apix/", "/admin/items/"] },
  "(?i)/admin": { matched: ["/admin", "/ADMIN"], missed: ["/admin/", "/administrator"] },
  "/a.b": { matched: ["/a/b", "/aXb", "/a.b"], missed: ["/a%2Fb", "/ab"] },
};

export const HEADERS: Readonly<Record<string, readonly string[]>> = {
  "x-user": ["tester", "Tester", "te"],
  "x-version": ["v1", "v2", ""],
  cookie: ["user=jason", "a=b; user=jason; c=d", "user=jasonx"],
};
const HEADER_REGEXES: Readonly<Record<string, Near>> = {
  "te.*": { matched: ["te", "tester"], missed: ["Tester", "a,te"] },
  "v[12]": { matched: ["v1", "v2"], missed: ["v3", "v1,v2"] },
  "^(.*;)?\\s*(user=jason)(;.*)?$": { matched: ["user=jason", "a=b; user=jason; c=d"], missed: ["user=jasonx"] },
};
export const QUERIES: Readonly<Record<string, readonly string[]>> = { q: ["1", "a b", ""], debug: ["true", "TRUE", "1"] };
export const METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"] as const;

export function drawPathMatch(draw: Draw): StringMatch {
  return draw.weighted<StringMatch>([
    [10, () => ({ exact: draw.one(PATHS) })],
    [7, () => ({ prefix: draw.one(draw.chance(90) ? PATHS.slice(1) : PATHS) })],
    [10, () => ({ regex: draw.one(Object.keys(PATH_REGEXES)) })],
  ]);
}

export function drawValueMatch(draw: Draw, values: readonly string[]): StringMatch {
  const given = draw.one(values);
  return draw.weighted<StringMatch>([
    [5, () => ({ exact: given })],
    [2, () => ({ prefix: given.slice(0, 2) })],
    [2, () => ({ regex: draw.one(Object.keys(HEADER_REGEXES)) })],
    [1, () => ({})],
  ]);
}

/** A text that a condition is about: most match it, some only just don't. */
export function drawNear(draw: Draw, { exact, prefix, regex = "" }: StringMatch, others: readonly string[]): string {
  if (exact !== undefined) return exact;
  if (prefix !== undefined) return prefix + draw.one(["", "", "x", "/x", "1", "/"]);
  const near = PATH_REGEXES[regex] ?? HEADER_REGEXES[regex];
  return near === undefined ? draw.one(others) : draw.one(draw.chance(70) ? near.matched : near.missed);
}
