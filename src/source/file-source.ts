import type { ResourcePath } from "../model/resource-path.ts";
import { FileReader } from "./file-reader.ts";
import type { KeptResources } from "./kept-resources.ts";
import type { LastGoodTexts } from "./last-good.ts";
import type { Declared } from "./merge.ts";
import type { HeldRemoval } from "./removal-guard.ts";
import { watchFolders } from "./watch-folders.ts";

export interface FileSourceOptions {
  /** Files and folders; of one resource that is declared twice see `mergeDeclared`. */
  readonly paths: readonly ResourcePath[];
  /**
   * Called with everything, first before `startFileSource` resolves and then after each change of a file's text, be it a comment: positions
   * may have moved. Resources whose hash is equal mean that nothing else did.
   */
  readonly onChange: (declared: Declared) => void;
  /** Where last good texts outlive the process; without it a file that is broken from the start has none. */
  readonly lastGood?: LastGoodTexts;
  /** Where what is held back from vanishing outlives the process; without it a new process opens what was held closed. */
  readonly kept?: KeptResources;
  /** `onChange` threw after the first time: our bug; or something could not be written down. Without this it is a warning of the process. */
  readonly onFailure?: (error: unknown) => void;
  /** How often files are compared with what was read, in case that the system's notices fail. 2 s. */
  readonly pollMs?: number;
  /** Quiet time after a notice before files are read. 30 ms. */
  readonly settleMs?: number;
  /** How long a file must stay as it is before what vanished from it counts. 1 s. */
  readonly quietMs?: number;
}

export interface FileSource {
  /** What no file declares any more and stays in force all the same (KMK0004). */
  heldRemovals(): readonly HeldRemoval[];
  /** Lets go what is held back and meant, all of it where nothing is said; returns what that was. */
  acceptRemovals(isMeant?: (held: HeldRemoval) => boolean): Promise<readonly HeldRemoval[]>;
  /** Reads now what has changed. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** A timer may fire a little before its time by another clock. */
const TIMER_EARLY_MS = 20;

/** Reads files and folders once. */
export async function readFiles(paths: readonly ResourcePath[]): Promise<Declared> {
  const { declared } = await new FileReader({ paths, quietMs: 0, onFailure: warn }).read();
  return declared;
}

/** Reads files and folders and goes on watching them. Whatever is in them, it goes on; a broken one keeps its last good version. */
export async function startFileSource(options: FileSourceOptions): Promise<FileSource> {
  const { paths, onChange, lastGood, kept, onFailure = warn, pollMs = 2000, settleMs = 30, quietMs = 1000 } = options;
  const reader = new FileReader({ paths, lastGood, kept, quietMs, onFailure });
  let isClosed = false;
  let waiting: NodeJS.Timeout | undefined;
  let queue: Promise<void> = Promise.resolve();
  const enqueue = (work: () => Promise<void>): Promise<void> => {
    queue = queue.catch(() => undefined).then(() => (isClosed ? undefined : work()));
    return queue;
  };
  const read = async (): Promise<void> => {
    const { declared, hasChanged, folders, isWaiting } = await reader.read();
    if (isClosed) return;
    watcher.watch(folders);
    clearTimeout(waiting);
    if (isWaiting) waiting = setTimeout(notice, quietMs + TIMER_EARLY_MS);
    if (hasChanged) onChange(declared);
  };
  const notice = () => void enqueue(read).catch(onFailure);
  const watcher = watchFolders({ pollMs, settleMs, onNotice: notice });
  await enqueue(read);
  return {
    heldRemovals: () => reader.held,
    async acceptRemovals(isMeant = () => true) {
      let released: readonly HeldRemoval[] = [];
      await enqueue(async () => {
        released = reader.release(isMeant);
        await read();
      });
      return released;
    },
    refresh: () => enqueue(read),
    close: async () => {
      isClosed = true;
      clearTimeout(waiting);
      watcher.close();
      await queue.catch(() => undefined);
    },
  };
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
