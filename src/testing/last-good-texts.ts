import type { LastGoodTexts } from "../source/index.ts";

/** Keeps in memory what a store would keep. */
export function textsInMemory(): LastGoodTexts {
  const texts = new Map<string, string>();
  return {
    read: async (file) => texts.get(file),
    write: async (file, text) => void texts.set(file, text),
    files: async () => [...texts.keys()],
    forget: async (file) => void texts.delete(file),
  };
}
