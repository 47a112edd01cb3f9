import type { LastGoodTexts } from "../source/index.ts";

type FileName = Parameters<LastGoodTexts["read"]>[0];

/** Keeps in memory what a store would keep. */
export function textsInMemory(): LastGoodTexts {
  const texts = new Map<string, { readonly file: FileName; readonly text: string }>();
  const keyOf = ({ path, namespace, values }: FileName) => JSON.stringify([path, namespace, values]);
  return {
    read: async (file) => texts.get(keyOf(file))?.text,
    write: async (file, text) => void texts.set(keyOf(file), { file, text }),
    files: async () => [...texts.values()].map(({ file }) => file),
    forget: async (file) => void texts.delete(keyOf(file)),
  };
}
