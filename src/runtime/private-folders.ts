import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";

const PRIVATE: ReadonlySet<string> = new Set([".kumiko", ".git"]);
const MAX_DEPTH = 6;

/** Folders with the state of a mesh, keys included, or with a repository's settings and history. */
export class PrivateFolders {
  readonly #searches = new Map<string, Promise<readonly string[]>>();

  /** Those in a folder as it is now. Who asks while a search goes on gets what it finds: Pods that start together need one. */
  in(folder: string): Promise<readonly string[]> {
    const running = this.#searches.get(folder);
    if (running !== undefined) return running;
    const search = find(folder, 0).finally(() => this.#searches.delete(folder));
    this.#searches.set(folder, search);
    return search;
  }
}

/** One folder after another, so that what else the process does goes on meanwhile. */
async function find(folder: string, depth: number): Promise<readonly string[]> {
  if (depth > MAX_DEPTH || basename(folder) === "node_modules") return [];
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (PRIVATE.has(entry.name)) found.push(path);
    else if (entry.isDirectory()) found.push(...(await find(path, depth + 1)));
  }
  return found;
}
