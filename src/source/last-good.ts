import type { Store, StoreKey } from "../store/store.ts";

/** The texts of files as they were when nothing in them was wrong, kept where they outlive the process. */
export interface LastGoodTexts {
  read(file: string): Promise<string | undefined>;
  write(file: string, text: string): Promise<void>;
}

const KIND = "LastGoodFile";

/** In the store: a control plane that starts again over a broken file goes on with what it had. */
export function lastGoodInStore(store: Store): LastGoodTexts {
  return {
    read: async (file) => {
      const value = (await store.get(keyOf(file)))?.value;
      return typeof value === "string" ? value : undefined;
    },
    write: async (file, text) => {
      const known = await store.get(keyOf(file));
      if (known?.value !== text) await store.put(keyOf(file), text);
    },
  };
}

function keyOf(file: string): StoreKey {
  return { kind: KIND, namespace: "", name: file };
}
