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
  const parts = path.split(/[/\\]/).slice(1);
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

function canonical(segment: string): string {
  let text = "";
  for (let i = 0; i < segment.length; i++) {
    const character = segment.charAt(i);
    const hex = segment.slice(i + 1, i + 3);
    if (character === "%" && /^[0-9a-fA-F]{2}$/.test(hex)) {
      const decoded = String.fromCharCode(Number.parseInt(hex, 16));
      text += UNRESERVED.test(decoded) ? decoded : `%${hex}`;
      i += 2;
    } else text += ESCAPED.test(character) ? escapeByte(character.charCodeAt(0)) : character;
  }
  return text;
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
