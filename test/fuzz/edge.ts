import type { Draw } from "./draw.ts";

type Change = (text: string, draw: Draw) => string;

function flipCase(text: string): string {
  const i = text.search(/[a-z]/i);
  if (i === -1) return text;
  const letter = text.charAt(i);
  return text.slice(0, i) + (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()) + text.slice(i + 1);
}

/** `%61` for `a`. */
function escapeLetter(text: string): string {
  return text.replace(/[a-z]/i, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
}

const PATH_CHANGES: readonly Change[] = [
  (path) => `${path}/`,
  (path) => (path.length > 1 ? path.slice(0, -1) : path),
  (path) => `${path}x`,
  (path) => `${path}/x`,
  flipCase,
  escapeLetter,
  (path) => `/${path}`,
  (path) => path.replace(/(.)\//, "$1//"),
  (path, draw) => path.replace(/(.)\//, `$1${draw.one(["%2F", "%2f", "%5C", "\\"])}`),
  (path, draw) => path + draw.one(["%2F", "%2f", "%5c", "/%2e", "/."]),
  (path) => `/.${path}`,
  (path) => `/x/..${path}`,
  (path) => `/x/%2e%2E${path}`,
  (path) => `/..${path}`,
  (path) => `${path}/../x`,
  (path) => `${path}?`,
  (path) => `${path}?q=1`,
  (path) => `${path}?a=/b&q=1&q=2`,
  (path) => `${path}#top`,
  (path) => `${path};v=1`,
  (path, draw) => `${path}${draw.one(["%20", "%00", "%0a", "%zz", "%", "*", "~", "%7E", "{x}", "|"])}`,
];

/** A path that is only just another one. */
export function nearPath(path: string, draw: Draw): string {
  const [before = "", query] = splitOnce(path, "?");
  const changed = draw.one(PATH_CHANGES)(before, draw);
  return query === undefined ? changed : changed.includes("?") ? `${changed}&${query}` : `${changed}?${query}`;
}

function splitOnce(text: string, at: string): readonly [string, string?] {
  const i = text.indexOf(at);
  return i === -1 ? [text] : [text.slice(0, i), text.slice(i + 1)];
}

const HOST_CHANGES: readonly Change[] = [
  (host) => host.toUpperCase(),
  flipCase,
  (host) => `${host}.`,
  (host, draw) => `${host}:${draw.one(["80", "81", "443", "8080", "1"])}`,
  (host) => `${host}.:80`,
  (host) => `x.${host}`,
  (host) => `x${host}`,
  (host) => host.split(".").slice(1).join(".") || host,
  (host) => host.split(".")[0] ?? host,
  (host) => `${host}.example.com`,
  () => "10.96.0.1",
  () => "[::1]:80",
];

export function nearHost(host: string, draw: Draw): string {
  return draw.one(HOST_CHANGES)(host, draw);
}

/** A header's lines that are only just others. */
export function nearValue(value: string, draw: Draw): string | readonly string[] {
  return draw.one<string | readonly string[]>([
    flipCase(value),
    `${value}x`,
    value.slice(0, -1),
    "",
    `${value},other`,
    [value, "other"],
    ["other", value],
    [value, value],
    ["", value],
  ]);
}
