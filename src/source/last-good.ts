import type { Store, StoreKey, Write } from "../store/store.ts";
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
/** What of a long text doesn't go into the entry of its file. */
const FURTHER_KIND = "LastGoodFilePart";
/** JSON makes six bytes of a character at most; the store takes 4 MiB. */
const PART_CHARACTERS = 512 * 1024;

/** `text` is the first part; `further` is how many come after it. */
interface KeptText {
  readonly text: string;
  readonly further?: number;
}

/** In the store: a control plane that starts again over a broken file goes on with what it had, and misses a file that went meanwhile. */
export function lastGoodInStore(store: Store): LastGoodTexts {
  const read = async (file: FileName) => {
    const kept = (await store.get(keyOf(file)))?.value;
    // Earlier versions kept the bare text, and of files that are long gone, too: those say nothing about what is missing.
    if (!isKept(kept)) return { text: typeof kept === "string" ? kept : undefined, isCurrent: false, further: 0 };
    const { text, further = 0 } = kept;
    const parts = await Promise.all(range(0, further).map((i) => store.get(partKeyOf(file, i))));
    return {
      text: text + parts.map((part) => (part === undefined ? "" : (part.value as KeptText).text)).join(""),
      isCurrent: true,
      further,
    };
  };
  return {
    read: async (file) => (await read(file)).text,
    write: async (file, text) => {
      const known = await read(file);
      if (known.isCurrent && known.text === text) return;
      const [first = "", ...rest] = partsOf(text);
      const value: KeptText = { text: first, ...(rest.length > 0 && { further: rest.length }) };
      await store.transaction([
        { kind: "put", key: keyOf(file), value },
        ...rest.map((part, i): Write => ({ kind: "put", key: partKeyOf(file, i), value: { text: part } satisfies KeptText })),
        ...range(rest.length, known.further).map((i): Write => ({ kind: "delete", key: partKeyOf(file, i) })),
      ]);
    },
    files: async () => {
      const { entries } = await store.list({ kind: KIND });
      return entries.filter(({ value }) => isKept(value)).map(({ key: { name, namespace } }) => toFileName(name, namespace));
    },
    forget: async (file) => {
      const { further } = await read(file);
      const keys = [keyOf(file), ...range(0, further).map((i) => partKeyOf(file, i))];
      await store.transaction(keys.map((key): Write => ({ kind: "delete", key })));
    },
  };
}

/** Between the path and the values of a chart: no path has it. */
const AND_VALUES = "\0";

function keyOf({ path, namespace = "", values }: FileName): StoreKey {
  return { kind: KIND, namespace, name: values === undefined ? path : `${path}${AND_VALUES}${values}` };
}

function partKeyOf(file: FileName, index: number): StoreKey {
  const { namespace, name } = keyOf(file);
  return { kind: FURTHER_KIND, namespace, name: `${index} ${name}` };
}

function partsOf(text: string): readonly string[] {
  return range(0, Math.ceil(text.length / PART_CHARACTERS)).map((i) => text.slice(i * PART_CHARACTERS, (i + 1) * PART_CHARACTERS));
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

function toFileName(name: string, namespace: string): FileName {
  const [path = "", values] = name.split(AND_VALUES);
  return { path, ...(namespace !== "" && { namespace }), ...(values !== undefined && { values }) };
}

function isKept(value: unknown): value is KeptText {
  return typeof value === "object" && value !== null && typeof (value as Partial<KeptText>).text === "string";
}
