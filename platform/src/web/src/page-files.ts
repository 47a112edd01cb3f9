import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { extname, join } from "node:path";

/** One file as it is sent. */
export interface PageFile {
  readonly type: string;
  readonly body: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".ts": "text/javascript; charset=utf-8",
};

/** The page's files by name. TypeScript is sent without its types; no line or column changes, so that errors name the source. */
export function readPageFiles(folder = join(import.meta.dirname, "page")): ReadonlyMap<string, PageFile> {
  const names = readdirSync(folder).filter((name) => TYPES[extname(name)] !== undefined);
  return new Map(names.map((name) => [name, toFile(name, readFileSync(join(folder, name), "utf8"))]));
}

function toFile(name: string, text: string): PageFile {
  const body = name.endsWith(".ts") ? stripTypeScriptTypes(text) : text;
  return pageFile(TYPES[extname(name)] ?? "", body);
}

export function pageFile(type: string, body: string): PageFile {
  return { type, body, etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"` };
}
