import { type FSWatcher, watch } from "node:fs";

export interface FolderWatcher {
  /** From now on these folders and no others. */
  watch(folders: readonly string[]): void;
  close(): void;
}

export interface WatchOptions {
  readonly pollMs: number;
  readonly settleMs: number;
  /** Something may have changed: after notices have settled, and every `pollMs` in any case. */
  readonly onNotice: () => void;
}

/**
 * Watches folders one by one: editors replace files by renaming, which a watch on the file itself would lose, and hidden folders full of
 * others' traffic are not watched at all. Where the system has no watches left, the poll notices.
 */
export function watchFolders({ pollMs, settleMs, onNotice }: WatchOptions): FolderWatcher {
  const watchers = new Map<string, FSWatcher>();
  let settling: NodeJS.Timeout | undefined;
  const notice = () => {
    settling ??= setTimeout(() => {
      settling = undefined;
      onNotice();
    }, settleMs);
  };
  const poll = setInterval(onNotice, pollMs);
  poll.unref();
  const drop = (folder: string) => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  return {
    watch: (folders) => {
      for (const folder of watchers.keys()) if (!folders.includes(folder)) drop(folder);
      for (const folder of folders) if (!watchers.has(folder)) start(folder, { watchers, notice, drop });
    },
    close: () => {
      clearInterval(poll);
      clearTimeout(settling);
      for (const folder of watchers.keys()) drop(folder);
    },
  };
}

interface Watching {
  readonly watchers: Map<string, FSWatcher>;
  readonly notice: () => void;
  readonly drop: (folder: string) => void;
}

function start(folder: string, { watchers, notice, drop }: Watching): void {
  try {
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      if (name === null || !isHidden(name)) notice();
    });
    watcher.on("error", () => drop(folder));
    watchers.set(folder, watcher);
  } catch {
    // No folder, or no watches left (ENOSPC, EMFILE): the poll is there.
  }
}

/** Kubernetes swaps a mounted ConfigMap by its link `..data`. */
function isHidden(name: string): boolean {
  return name.startsWith(".") && name !== "..data";
}
