import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { beyondBytes } from "../base/retention.ts";

/** Of pods that are gone the newest logs stay. */
const MAX_BYTES = 64_000_000;
const LOG = /^(.+)\.log(\.1)?$/;

/** Removes the logs of a namespace's pods that are gone, oldest first, so many that those that stay take no more than `maxBytes`. */
export function dropOldLogs(folder: string, pods: ReadonlySet<string>, maxBytes = MAX_BYTES): void {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const gone = names.flatMap((name) => {
    const pod = LOG.exec(name)?.[1];
    if (pod === undefined || pods.has(pod)) return [];
    const file = join(folder, name);
    const { size = 0, mtimeMs = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
    return [{ file, bytes: size, atMs: mtimeMs }];
  });
  for (const { file } of beyondBytes(gone, maxBytes)) rmSync(file, { force: true });
}
