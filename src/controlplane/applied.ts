import type { LocatedResource, ResourceRef } from "../model/resource.ts";
import {
  keptInStore,
  type KeptResources,
  lastGoodInStore,
  type LastGoodKeys,
  lastGoodKeysInStore,
  type LastGoodTexts,
  startStoreSource,
} from "../source/index.ts";
import { openSqliteStore, type Store, type Written } from "../store/index.ts";
import type { Held, Input } from "./world.ts";

/** Resources that were applied through the API, and the Pods that runtimes report: everything that no file declares. */
export interface Applied {
  /** Writes a document that was checked. False: somebody else wrote in between. */
  put(ref: ResourceRef, document: Readonly<Record<string, unknown>>): Promise<boolean>;
  delete(ref: ResourceRef): Promise<boolean>;
  /** Files as they were when they last could be read. */
  readonly lastGood: LastGoodTexts;
  /** What of the files is in force although none of them says it any more. */
  readonly kept: KeptResources;
  /** Keys of token issuers as they were last fetched. */
  readonly lastGoodKeys: LastGoodKeys;
  /** For what is no resource: join tokens. */
  readonly store: Store;
  close(): Promise<void>;
}

/** Opens the store and gives its resources on, now and after each change. */
export async function openApplied(file: string, onChange: (input: Input) => void): Promise<Applied> {
  const store = openSqliteStore({ file });
  const source = await startStoreSource({
    store,
    onChange: ({ resources, diagnostics }) => onChange({ held: resources.map(toHeld), diagnostics }),
  });
  return {
    lastGood: lastGoodInStore(store),
    kept: keptInStore(store),
    lastGoodKeys: lastGoodKeysInStore(store),
    store,
    async put(ref, document) {
      const expectedRevision = (await store.get(ref))?.revision ?? 0;
      return await settled(store.put(ref, document, { expectedRevision }));
    },
    async delete(ref) {
      const entry = await store.get(ref);
      return entry === undefined || (await settled(store.delete(ref, { expectedRevision: entry.revision })));
    },
    async close() {
      source.close();
      await store.close();
    },
  };
}

/** Watches hear of a write in the turn after it; who wrote must find it in the World when the write resolves. */
async function settled(write: Promise<Written>): Promise<boolean> {
  const { kind } = await write;
  await new Promise((resolve) => setImmediate(resolve));
  return kind === "written";
}

function toHeld(resource: LocatedResource): Held {
  return { resource, revision: resource.hash, holder: resource.kind === "Pod" ? "runtime" : "store" };
}
