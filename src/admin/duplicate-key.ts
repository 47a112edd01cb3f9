/** A text's end, or anything of JSON that decides where keys stand: strings whole, and the signs between them. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/**
 * The first key that an object of a valid JSON text has twice; undefined where none has. `JSON.parse` takes the last of them, others the first:
 * who checks and who uses a document must not read different ones.
 */
export function findDuplicateKey(json: string): string | undefined {
  /** Of each open object the keys so far; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let last = "";
  for (const [token] of json.matchAll(TOKENS)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      // Written differently it may still be the same key: "\u0061" is "a".
      const key = JSON.parse(last) as string;
      const keys = open.at(-1);
      if (keys?.has(key) === true) return key;
      keys?.add(key);
    }
    last = token;
  }
  return undefined;
}
