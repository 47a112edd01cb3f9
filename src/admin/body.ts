import type { IncomingMessage } from "node:http";
import { findDuplicateKey } from "./duplicate-key.ts";
import { Refusal } from "./status-object.ts";

/** Kubernetes' own limit for a request. */
const BODY_LIMIT_BYTES = 3 * 1024 * 1024;
/** Deeper than any schema; what walks a document recursively may rely on it. */
const DEPTH_LIMIT = 64;

/**
 * Reads a request's body as one JSON object. Refuses what is too long or too deep, another type, what is not
 * UTF-8, a key that stands twice in one object, and keys that name a prototype.
 */
export async function readDocument(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const type = (request.headers["content-type"] ?? "application/json").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new Refusal("UnsupportedMediaType", `the body is of type "${type}": send application/json`);
  }
  const text = await readText(request);
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Refusal("BadRequest", "the body is not a JSON object");
  checkShape(value);
  const twice = findDuplicateKey(text);
  if (twice !== undefined)
    throw new Refusal("BadRequest", `the body has the key ${JSON.stringify(twice.slice(0, 80))} twice in one object`);
  return value as Readonly<Record<string, unknown>>;
}

async function readText(request: IncomingMessage): Promise<string> {
  if (Number(request.headers["content-length"] ?? 0) > BODY_LIMIT_BYTES) throw tooLarge();
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_LIMIT_BYTES) throw tooLarge();
    parts.push(part);
  }
  return decode(Buffer.concat(parts));
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal("BadRequest", "the body is not UTF-8");
  }
}

function tooLarge(): Refusal {
  return new Refusal("RequestEntityTooLarge", `the body is longer than ${BODY_LIMIT_BYTES} bytes`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8's message quotes the text around the fault, which may be a secret: only the place is passed on.
    const place = / at position \d+(?: \(line \d+ column \d+\))?/.exec((error as Error).message)?.[0] ?? "";
    throw new Refusal("BadRequest", `the body is not JSON: it breaks${place}`);
  }
}

/** With a list of its own for what is left to look at: a deep document must not end us by a full stack. */
function checkShape(document: object): void {
  const left: { readonly value: object; readonly depth: number }[] = [{ value: document, depth: 1 }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (next.depth > DEPTH_LIMIT) throw new Refusal("BadRequest", `the body is nested deeper than ${DEPTH_LIMIT} levels`);
    for (const [key, value] of Object.entries(next.value)) {
      if (key === "__proto__") throw new Refusal("BadRequest", 'the body has a key "__proto__"');
      if (typeof value === "object" && value !== null) left.push({ value: value as object, depth: next.depth + 1 });
    }
  }
}
