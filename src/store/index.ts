/** Where resources live that no file holds: one contract, one conformance suite, SQLite. */
export { openSqliteStore, type SqliteOptions } from "./sqlite.ts";
export type { Change, Entry, Expectation, Filter, Store, StoreKey, WatchOptions, Write, Written } from "./store.ts";
