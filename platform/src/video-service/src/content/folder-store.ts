import { randomUUID } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ContentStore } from "./store.ts";

const KEY = /^[0-9a-f-]{36}$/;
const DRAFT = ".part";

/** Contents as files of a folder, for a single machine or a shared file system. The folder is made when it is not there. */
export function createFolderStore(folder: string): ContentStore {
  const pathOf = (key: string) => {
    if (!KEY.test(key)) throw new Error("no key of a content");
    return join(folder, key);
  };
  return {
    async write(bytes) {
      const key = randomUUID();
      const draft = pathOf(key) + DRAFT;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      try {
        await writeDurably(draft, bytes);
        await rename(draft, pathOf(key));
      } catch (error) {
        await rm(draft, { force: true }).catch(() => undefined);
        throw error;
      }
      return key;
    },
    async *read(key, { start, end }) {
      let left = end + 1 - start;
      for await (const piece of createReadStream(pathOf(key), { start, end, highWaterMark: 256 * 1024 })) {
        left -= (piece as Buffer).length;
        yield piece as Buffer;
      }
      if (left > 0) throw new Error(`content ${key} ends before byte ${end}`);
    },
    async remove(key) {
      await Promise.all([rm(pathOf(key), { force: true }), rm(pathOf(key) + DRAFT, { force: true })]);
    },
    async keysBefore(time) {
      const names = await readdir(folder).catch(() => []);
      const keys = new Set<string>();
      for (const name of names) {
        const key = name.replace(DRAFT, "");
        const found = KEY.test(key) ? await stat(join(folder, name)).catch(() => undefined) : undefined;
        if (found !== undefined && found.mtime < time) keys.add(key);
      }
      return [...keys];
    },
  };
}

async function writeDurably(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    for await (const piece of bytes) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}
