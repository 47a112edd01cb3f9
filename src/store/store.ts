/** What a resource is stored under. `namespace` is empty for what belongs to none. */
export interface StoreKey {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface Entry {
  readonly key: StoreKey;
  /** JSON, as it was put. */
  readonly value: unknown;
  /** Of the write that made it what it is. */
  readonly revision: number;
}

/** What a write expects to find: an entry of this revision, or none (0). */
export interface Expectation {
  readonly expectedRevision?: number;
}

export type Write =
  | ({ readonly kind: "put"; readonly key: StoreKey; readonly value: unknown } & Expectation)
  | ({ readonly kind: "delete"; readonly key: StoreKey } & Expectation);

export type Written =
  | { readonly kind: "written"; readonly revision: number }
  /** Nothing was written: `key` is not what was expected. `current` is what is there. */
  | { readonly kind: "conflict"; readonly key: StoreKey; readonly current?: Entry };

export interface Change {
  readonly key: StoreKey;
  readonly revision: number;
  /** Absent: deleted. */
  readonly entry?: Entry;
  readonly atMs: number;
}

export interface Filter {
  readonly kind?: string;
  readonly namespace?: string;
}

export interface WatchOptions {
  /** Changes after this revision, in order, each once; those that have happened already come first. */
  readonly afterRevision: number;
  readonly filter?: Filter;
  readonly onChanges: (changes: readonly Change[]) => void;
  /** Changes after `afterRevision` have been forgotten: list again and watch from there. The watch is over. */
  readonly onExpired: () => void;
}

/**
 * Where resources live that no file holds. Values are opaque JSON. Revisions count up by one with each transaction, for the whole store.
 * A write that was acknowledged survives the process, and the machine's power. Every implementation passes `conformance.ts`.
 */
export interface Store {
  get(key: StoreKey): Promise<Entry | undefined>;
  /** Entries by kind, namespace, name, and the revision that they were read at. */
  list(filter?: Filter): Promise<{ readonly revision: number; readonly entries: readonly Entry[] }>;
  put(key: StoreKey, value: unknown, expectation?: Expectation): Promise<Written>;
  /** Deleting what isn't there changes nothing, and is a conflict only where something was expected. */
  delete(key: StoreKey, expectation?: Expectation): Promise<Written>;
  /** All writes or, at the first conflict, none; one revision. */
  transaction(writes: readonly Write[]): Promise<Written>;
  watch(options: WatchOptions): { close(): void };
  /** What happened to one entry, newest first, as far back as it is remembered. */
  history(key: StoreKey, limit: number): Promise<readonly Change[]>;
  close(): Promise<void>;
}
