import type { SourcePosition } from "../model/position.ts";
import { formatRef, refOf, type LocatedResource } from "../model/resource.ts";
import { checkDocument } from "../schema/index.ts";
import type { Entry, Store, StoreKey, Write } from "../store/store.ts";
import type { HeldReason, HeldRemoval } from "./removal-guard.ts";

/** What is in force although no file says it: held back from vanishing, or the version that stays while two declarations contest a name. */
export interface Kept {
  readonly held: readonly HeldRemoval[];
  readonly contested: readonly LocatedResource[];
}

/** What could not be written down, and the file that had it; none for what could not be taken out. */
export interface Unkept {
  readonly file?: string;
  readonly error: unknown;
}

/** Where that outlives the process: a control plane that starts again must not open what is held closed. */
export interface KeptResources {
  read(): Promise<Kept>;
  /** Takes the place of all that was kept; what can't be kept leaves the rest. */
  write(kept: Kept): Promise<readonly Unkept[]>;
}

const KIND = "KeptResource";
const CONTESTED = "contested";

interface Value {
  readonly reason: string;
  readonly position: SourcePosition;
  readonly document: Readonly<Record<string, unknown>>;
}

/** One entry for each resource, so that none is limited by how many there are. */
export function keptInStore(store: Store): KeptResources {
  return {
    async read() {
      const { entries } = await store.list({ kind: KIND });
      const read = entries.flatMap((entry) => readEntry(entry));
      return {
        held: read.flatMap(({ resource, reason, position: { file } }) =>
          reason === CONTESTED ? [] : [{ resource, file, reason: reason as HeldReason }],
        ),
        contested: read.filter(({ reason }) => reason === CONTESTED).map(({ resource }) => resource),
      };
    },
    async write({ held, contested }) {
      const wanted = new Map<string, Value>();
      for (const resource of contested) wanted.set(formatRef(refOf(resource)), toValue(resource, CONTESTED));
      for (const { resource, reason } of held) wanted.set(formatRef(refOf(resource)), toValue(resource, reason));
      const { entries } = await store.list({ kind: KIND });
      const known = new Map(entries.map(({ key, value }) => [key.name, JSON.stringify(value)]));
      const writes: Write[] = [];
      for (const name of known.keys()) if (!wanted.has(name)) writes.push({ kind: "delete", key: keyOf(name) });
      for (const [name, value] of wanted)
        if (known.get(name) !== JSON.stringify(value)) writes.push({ kind: "put", key: keyOf(name), value });
      return await writeAll(store, writes);
    },
  };
}

/** At once; where that fails, each by itself: one that can't be written takes no other one's place. */
async function writeAll(store: Store, writes: readonly Write[]): Promise<readonly Unkept[]> {
  if (writes.length === 0) return [];
  try {
    await store.transaction(writes);
    return [];
  } catch (error) {
    if (writes.length === 1) return writes.map((write) => toUnkept(write, error));
  }
  const unkept: Unkept[] = [];
  for (const write of writes) unkept.push(...(await writeAll(store, [write])));
  return unkept;
}

function toUnkept(write: Write, error: unknown): Unkept {
  return write.kind === "put" ? { file: (write.value as Value).position.file, error } : { error };
}

function keyOf(name: string): StoreKey {
  return { kind: KIND, namespace: "", name };
}

function toValue({ apiVersion, kind, metadata, body, locate }: LocatedResource, reason: string): Value {
  return { reason, position: locate([]), document: { apiVersion, kind, metadata, ...(body as object) } };
}

function readEntry({
  value,
}: Entry): readonly { readonly resource: LocatedResource; readonly reason: string; readonly position: SourcePosition }[] {
  const { reason, position, document } = value as Value;
  const { resource, fallback } = checkDocument({ value: document, locate: () => position });
  const used = resource ?? fallback;
  return used === undefined ? [] : [{ resource: used, reason, position }];
}
