import type { Store, StoreKey } from "../store/store.ts";
import type { FileName } from "./list-files.ts";

/** The texts of files as they were when nothing in them was wrong, kept where they outlive the process. */
export interface LastGoodTexts {
  read(file: FileName): Promise<string | undefined>;
  write(file: FileName, text: string): Promise<void>;
  /** Files that were there when they were last looked at. */
  files(): Promise<readonly FileName[]>;
  /** The file is gone, and that was said or meant. */
  forget(file: FileName): Promise<void>;
}

const KIND = "LastGoodFile";

/** In the store: a control plane that starts again over a broken file goes on with what it had, and misses a file that went meanwhile. */
export function lastGoodInStore(store: Store): LastGoodTexts {
  return {
    read: async (file) => textOf((await store.get(keyOf(file)))?.value),
    write: async (file, text) => {
      const known = (await store.get(keyOf(file)))?.value;
      if (!isKept(known) || known.text !== text) await store.put(keyOf(file), { text });
    },
    files: async () => {
      const { entries } = await store.list({ kind: KIND });
      return entries.filter(({ value }) => isKept(value)).map(({ key: { name, namespace } }) => toFileName(name, namespace));
    },
    forget: async (file) => void (await store.delete(keyOf(file))),
  };
}

function keyOf({ path, namespace = "" }: FileName): StoreKey {
  return { kind: KIND, namespace, name: path };
}

function toFileName(path: string, namespace: string): FileName {
  return namespace === "" ? { path } : { path, namespace };
}

/** Earlier versions kept the bare text, and of files that are long gone, too: those say nothing about what is missing. */
function textOf(value: unknown): string | undefined {
  return isKept(value) ? value.text : typeof value === "string" ? value : undefined;
}

function isKept(value: unknown): value is { readonly text: string } {
  return typeof value === "object" && value !== null && typeof (value as { readonly text?: unknown }).text === "string";
}
