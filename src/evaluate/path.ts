import { splitQuery } from "./http-message.ts";

/** Written as they are, also where they came percent-encoded. */
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;
/** Of the visible ASCII characters, those that are percent-encoded. */
const ESCAPED = /^["#<>?^`{|}]$/;

/** RFC 3986 normalisation as Envoy has it (dot segments, needless escapes, `\`); undefined for a path that it refuses. The query stays. */
export function normalizePath(raw: string): string | undefined {
  const [path, query] = splitQuery(raw);
  if (path.includes("%00")) return undefined;
  const segments: string[] = [];
  const parts = path.split("/").map(withoutParameters).join("/").split(/[/\\]/).slice(1);
  for (const [i, part] of parts.entries()) {
    const dots = part.replaceAll(/%2e/gi, ".");
    const isLast = i === parts.length - 1;
    if (dots === "..") segments.pop();
    if (dots === "." || dots === "..") {
      if (isLast) segments.push("");
    } else segments.push(canonical(part));
  }
  return `/${segments.join("/")}${query}`;
}

/** A dot segment is one with path parameters, too (`..;v=1`): they are taken for what they are to servers that cut at `;`. */
function withoutParameters(segment: string): string {
  const [name = ""] = segment.split(";", 1);
  return name === "." || name === ".." ? name : segment;
}

function canonical(segment: string): string {
  let text = "";
  // Where the last `%` stands that begins no escape.
  let stray = -Infinity;
  for (let i = 0; i < segment.length; i++) {
    const character = segment.charAt(i);
    const hex = segment.slice(i + 1, i + 3);
    if (character > "~") {
      const [whole = character] = /^[^ -~]+/.exec(segment.slice(i)) ?? [];
      text += encodeURIComponent(whole.toWellFormed());
      i += whole.length - 1;
    } else if (character !== "%") text += ESCAPED.test(character) ? escapeByte(character.charCodeAt(0)) : character;
    else if (!HEX.test(hex)) {
      stray = text.length;
      text += "%";
    } else {
      const decoded = String.fromCharCode(Number.parseInt(hex, 16));
      i += 2;
      if (UNRESERVED.test(decoded)) text = withoutNestedEscape(text + decoded, stray, segment.charAt(i + 1));
      else text += `%${hex}`;
    }
  }
  return text;
}

const HEX = /^[0-9a-fA-F]{2}$/;

/** Where what was just decoded makes an escape of a stray `%` before it, that `%` is escaped itself. */
function withoutNestedEscape(text: string, stray: number, next: string): string {
  const made = text.length - stray === 2 ? text.slice(stray + 1) + next : text.length - stray === 3 ? text.slice(stray + 1) : "";
  return HEX.test(made) ? `${text.slice(0, stray)}%25${text.slice(stray + 1)}` : text;
}

function escapeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

export function mergeSlashes(raw: string): string {
  const [path, query] = splitQuery(raw);
  // Of nothing but slashes two stay: Envoy puts the first and the last back around what is between them.
  return (/^\/{2,}$/.test(path) ? "//" : path.replaceAll(/\/{2,}/g, "/")) + query;
}

/** `%2F` and `%5C` as what they stand for. */
export function unescapeSlashes(raw: string): string {
  const [path, query] = splitQuery(raw);
  return path.replaceAll(/%2f/gi, "/").replaceAll(/%5c/gi, "\\") + query;
}
