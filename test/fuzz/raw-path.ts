import type { Draw } from "./draw.ts";

/** Segments that normalisation takes away, leaves, or reads in more than one way. */
const SEGMENTS = [
  ".",
  "..",
  "...",
  "%2e",
  "%2E",
  ".%2e",
  "%2e.",
  "%2e%2E",
  "%252e",
  "%2e%252e",
  "",
  "x",
  "%20",
  "a%2Fb",
  "%5c",
  "~",
  "%7e",
];
/** Path parameters (RFC 3986, section 3.3), as servers read them that cut at `;`. */
const PARAMETERS = [";", ";v=1", ";..", ";/", "%3b", "%3B/..", ";%2e%2e"];
const SLASHES = ["/", "/", "/", "/", "//", "///", "\\", "%2f", "%2F", "%5C", "/\\", "%252f"];
const CHARACTERS = [..."!$&'()*+,:=@-_~|^`{}<>\"[]%", "%41", "%c3%a9", "%zz", "%0", "%00", "%0d%0a", "%7f", "%25", "%3f", "%23", "?"];

/** A path written otherwise: segments, parameters, slashes, escapes and odd characters put in anywhere, several at a time. */
export function rawPath(path: string, draw: Draw): string {
  const changes = draw.whole(1, 4);
  let text = path;
  for (let i = 0; i < changes; i++) text = draw.one(CHANGES)(text, draw);
  return text.startsWith("/") || draw.chance(4) ? text : `/${text}`;
}

const CHANGES: readonly ((text: string, draw: Draw) => string)[] = [
  (text, draw) => atSlash(text, draw, (slash) => `${slash}${draw.one(SEGMENTS)}${draw.one(SLASHES)}`),
  (text, draw) => atSlash(text, draw, (slash) => `${slash}${draw.one(["x", "admin", "api"])}/${draw.one(SEGMENTS)}/`),
  (text, draw) => atSlash(text, draw, () => draw.one(SLASHES)),
  (text, draw) => `${text}${draw.one(["", "/"])}${draw.one(SEGMENTS)}${draw.one(["", "/"])}`,
  (text, draw) => atAny(text, draw, () => draw.one(PARAMETERS)),
  (text, draw) => atSlash(text, draw, (slash) => `${draw.one(PARAMETERS)}${slash}`),
  (text, draw) => atAny(text, draw, () => draw.one(CHARACTERS)),
  (text, draw) => escaped(text, draw),
  (text, draw) => `${text}?${draw.one(["/../x", "a=%2e%2e/", "q=1;x", "//", "%"])}`,
];

function atSlash(text: string, draw: Draw, change: (slash: string) => string): string {
  const places = [...text.matchAll(/\//g)].map(({ index }) => index);
  if (places.length === 0) return text;
  const at = draw.one(places);
  return text.slice(0, at) + change("/") + text.slice(at + 1);
}

function atAny(text: string, draw: Draw, made: () => string): string {
  const at = draw.whole(1, text.length);
  return text.slice(0, at) + made() + text.slice(at);
}

/** One character as its escape, in either case. */
function escaped(text: string, draw: Draw): string {
  const at = draw.whole(0, text.length - 1);
  const hex = text.charCodeAt(at).toString(16).padStart(2, "0");
  return `${text.slice(0, at)}%${draw.chance(50) ? hex : hex.toUpperCase()}${text.slice(at + 1)}`;
}
