import { formatRef } from "../model/resource.ts";
import { kinds } from "../schema/kinds.ts";
import type { Entry, Store, StoreKey } from "../store/store.ts";
import { EMPTY_FILE, type FileMemory, keepFile, updateFile } from "./file-memory.ts";
import { type Declared, mergeDeclared } from "./merge.ts";
import { readText } from "./read-text.ts";

export interface StoreSourceOptions {
  readonly store: Store;
  /** Called with everything, first before `startStoreSource` resolves and then after each change of a resource in the store. */
  readonly onChange: (declared: Declared) => void;
}

const KINDS = new Set(kinds.map(({ kind }) => kind));

/**
 * The resources of the store: entries whose key's kind is one that we read, with the document as their value. A node's position is its line
 * in the document's JSON as `kumiko get -o json` prints it; its file is `store:Kind/namespace/name`.
 */
export async function startStoreSource({ store, onChange }: StoreSourceOptions): Promise<{ close(): void }> {
  let entries = new Map<string, FileMemory>();
  let watch: { close(): void } | undefined;
  let isClosed = false;
  const publish = () =>
    onChange(mergeDeclared([...entries].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, memory]) => memory)));
  const readAll = async (): Promise<void> => {
    const { revision, entries: found } = await store.list();
    if (isClosed) return;
    const before = entries;
    const resources = found.filter(({ key }) => KINDS.has(key.kind));
    entries = new Map(resources.map((entry) => [formatRef(entry.key), readEntry(before.get(formatRef(entry.key)), entry)]));
    publish();
    watch = store.watch({ afterRevision: revision, onChanges: (changes) => apply(changes), onExpired: () => void readAll() });
  };
  const apply = (changes: readonly { readonly key: StoreKey; readonly entry?: Entry }[]) => {
    const ours = changes.filter(({ key }) => KINDS.has(key.kind));
    for (const { key, entry } of ours) {
      const name = formatRef(key);
      if (entry === undefined) entries.delete(name);
      else entries.set(name, readEntry(entries.get(name), entry));
    }
    if (ours.length > 0) publish();
  };
  await readAll();
  return {
    close: () => {
      isClosed = true;
      watch?.close();
    },
  };
}

function readEntry(before: FileMemory = EMPTY_FILE, { key, value }: Entry): FileMemory {
  const file = `store:${formatRef(key)}`;
  const { documents, diagnostics } = readText(JSON.stringify(value, undefined, 2), file);
  return diagnostics.length > 0 ? keepFile(before, file, diagnostics) : updateFile(before, documents);
}
