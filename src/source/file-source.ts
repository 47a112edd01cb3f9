import { EMPTY_FILE, type FileMemory, keepFile, updateFile } from "./file-memory.ts";
import { readFileText } from "./file-text.ts";
import type { LastGoodTexts } from "./last-good.ts";
import { type FoundFile, listFiles, type Listing } from "./list-files.ts";
import { type Declared, mergeDeclared } from "./merge.ts";
import { readText } from "./read-text.ts";
import { guardRemovals, type Guarded, NOTHING_YET } from "./removal-guard.ts";
import { watchFolders } from "./watch-folders.ts";

export interface FileSourceOptions {
  /** Files and folders; where one resource is declared twice the earlier wins. */
  readonly paths: readonly string[];
  /**
   * Called with everything, first before `startFileSource` resolves and then after each change of a file's text, be it a comment: positions
   * may have moved. Resources whose hash is equal mean that nothing else did.
   */
  readonly onChange: (declared: Declared) => void;
  /** Where last good texts outlive the process; without it a file that is broken from the start has none. */
  readonly lastGood?: LastGoodTexts;
  /** `onChange` threw after the first time: our bug. Without this it is a warning of the process. */
  readonly onFailure?: (error: unknown) => void;
  /** How often files are compared with what was read, in case that the system's notices fail. 2 s. */
  readonly pollMs?: number;
  /** Quiet time after a notice before files are read. 30 ms. */
  readonly settleMs?: number;
}

export interface FileSource {
  /** Lets go what is held back from vanishing (KMK0004). */
  acceptRemovals(): Promise<void>;
  /** Reads now what has changed. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** Reads files and folders once. */
export async function readFiles(paths: readonly string[]): Promise<Declared> {
  return new FileReader(paths).read(false).then(({ declared }) => declared);
}

/** Reads files and folders and goes on watching them. Whatever is in them, it goes on; a broken one keeps its last good version. */
export async function startFileSource(options: FileSourceOptions): Promise<FileSource> {
  const { paths, onChange, lastGood, onFailure = warn, pollMs = 2000, settleMs = 30 } = options;
  const reader = new FileReader(paths, lastGood);
  let isClosed = false;
  let queue: Promise<void> = Promise.resolve();
  const read = (accept: boolean): Promise<void> => {
    const before = queue.catch(() => undefined);
    queue = before.then(async () => {
      if (isClosed) return;
      const { declared, hasChanged, folders } = await reader.read(accept);
      if (isClosed) return;
      watcher.watch(folders);
      if (hasChanged) onChange(declared);
    });
    return queue;
  };
  const watcher = watchFolders({ pollMs, settleMs, onNotice: () => void read(false).catch(onFailure) });
  await read(false);
  return {
    acceptRemovals: () => read(true),
    refresh: () => read(false),
    close: async () => {
      isClosed = true;
      watcher.close();
      await queue.catch(() => undefined);
    },
  };
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}

interface KnownFile {
  readonly stamp: string;
  readonly text: string | undefined;
  readonly memory: FileMemory;
}

/** What is remembered between two readings of the same paths. */
class FileReader {
  readonly #paths: readonly string[];
  readonly #lastGood: LastGoodTexts | undefined;
  #files: ReadonlyMap<string, KnownFile> = new Map();
  #guarded: Guarded = NOTHING_YET;
  #complaints = "";
  #isFirst = true;

  constructor(paths: readonly string[], lastGood?: LastGoodTexts) {
    this.#paths = paths;
    this.#lastGood = lastGood;
  }

  async read(accept: boolean): Promise<{ readonly declared: Declared; readonly hasChanged: boolean; readonly folders: readonly string[] }> {
    const listing = await listFiles(this.#paths);
    const files = new Map<string, KnownFile>();
    for (const found of listing.files) files.set(found.path, await this.#readFile(found));
    this.#keepOutOfSight(files, listing);
    const merged = mergeDeclared([...files.values()].map(({ memory }) => memory));
    const before = this.#guarded;
    this.#guarded = guardRemovals(before, merged.resources, accept);
    const diagnostics = [...listing.diagnostics, ...this.#guarded.diagnostics, ...merged.diagnostics];
    const complaints = listing.diagnostics.map(({ message }) => message).join("\n");
    const hasChanged =
      this.#isFirst ||
      complaints !== this.#complaints ||
      this.#guarded.held.length !== before.held.length ||
      !hasSameMemories(this.#files, files);
    this.#files = files;
    this.#complaints = complaints;
    this.#isFirst = false;
    return { declared: { resources: this.#guarded.resources, diagnostics }, hasChanged, folders: listing.folders };
  }

  async #readFile({ path, stamp }: FoundFile): Promise<KnownFile> {
    const known = this.#files.get(path);
    if (known?.stamp === stamp) return known;
    const before = known?.memory ?? (await this.#recall(path));
    const text = await readFileText(path);
    if (typeof text !== "string") return { stamp, text: undefined, memory: keepFile(before, path, [text]) };
    if (text === known?.text) return { ...known, stamp };
    const { documents, diagnostics } = readText(text, path);
    const memory = diagnostics.length > 0 ? keepFile(before, path, diagnostics) : updateFile(before, documents);
    if (!memory.diagnostics.some(({ severity }) => severity === "error")) await this.#lastGood?.write(path, text);
    return { stamp, text, memory };
  }

  async #recall(path: string): Promise<FileMemory> {
    const text = await this.#lastGood?.read(path);
    return text === undefined ? EMPTY_FILE : updateFile(EMPTY_FILE, readText(text, path).documents);
  }

  /** A folder that can't be read has not lost its files. */
  #keepOutOfSight(files: Map<string, KnownFile>, { outOfSight }: Listing): void {
    for (const [path, known] of this.#files) {
      const isHidden = !files.has(path) && outOfSight.some((hidden) => path === hidden || path.startsWith(`${hidden}/`));
      if (isHidden) files.set(path, { ...known, stamp: "" });
    }
  }
}

function hasSameMemories(one: ReadonlyMap<string, KnownFile>, other: ReadonlyMap<string, KnownFile>): boolean {
  return one.size === other.size && [...other].every(([path, { memory }]) => one.get(path)?.memory === memory);
}
