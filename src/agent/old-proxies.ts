import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { beyondBytes } from "../base/retention.ts";

/** Of a workload that is gone its log stays for a person to read; of many, the newest. */
const MAX_BYTES = 64_000_000;

/** Removes the folders of proxies that are gone, oldest first, so many that those that stay take no more than `maxBytes`. */
export function dropOldProxies(folder: string, maxBytes = MAX_BYTES): void {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const gone = folders.flatMap(({ name }) => {
    const proxy = join(folder, name);
    return existsSync(join(proxy, "spec.json")) ? [] : [{ proxy, ...sizeOf(proxy) }];
  });
  for (const { proxy } of beyondBytes(gone, maxBytes)) rmSync(proxy, { recursive: true, force: true });
}

function sizeOf(folder: string): { readonly bytes: number; readonly atMs: number } {
  const files = readdirSync(folder).flatMap((name) => statSync(join(folder, name), { throwIfNoEntry: false }) ?? []);
  return { bytes: files.reduce((sum, { size }) => sum + size, 0), atMs: Math.max(0, ...files.map(({ mtimeMs }) => mtimeMs)) };
}
