import type { DatabaseSync, StatementSync } from "node:sqlite";
import { MeshError } from "../model/error.ts";
import { type SummedRow, sumOf, toggle } from "./row-sums.ts";
import { damaged, explain, openDatabase } from "./sqlite-file.ts";
import { type Counter, sumOfCounter } from "./sqlite-tables.ts";
import type { Change, Entry, Expectation, Filter, Store, StoreKey, WatchOptions, Write, Written } from "./store.ts";
import { Watches } from "./watches.ts";

const LARGEST_VALUE = 4 * 1024 * 1024;

export interface SqliteOptions {
  readonly file: string;
  /** How many of the last revisions are remembered for `watch` and `history`. 10,000. */
  readonly rememberedRevisions?: number;
  readonly now?: () => number;
}

/**
 * Opens or creates a store in one SQLite file (0600), with data and revision in one transaction and every commit on the disk before it is
 * acknowledged. Every row has a checksum, and so has the whole: a byte that changes is found when it is read, at the latest when the store is
 * opened. Throws MeshError where the file is damaged or can't be used.
 */
export function openSqliteStore({ file, rememberedRevisions = 10_000, now = Date.now }: SqliteOptions): Store {
  const database = openDatabase(file);
  return new SqliteStore(database, { file, rememberedRevisions, now });
}

type Row = SummedRow & { readonly sum: string };

class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #options: Required<SqliteOptions>;
  readonly #statements = new Map<string, StatementSync>();
  readonly #watches: Watches;

  constructor(database: DatabaseSync, options: Required<SqliteOptions>) {
    this.#database = database;
    this.#options = options;
    this.#watches = new Watches((after) => this.#changesAfter(after));
  }

  async get(key: StoreKey): Promise<Entry | undefined> {
    return this.#find(key);
  }

  async list(filter: Filter = {}): Promise<{ readonly revision: number; readonly entries: readonly Entry[] }> {
    const rows = this.#all(
      "SELECT * FROM entry WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR namespace = ?2) ORDER BY kind, namespace, name",
      filter.kind ?? null,
      filter.namespace ?? null,
    );
    return { revision: this.#counter().revision, entries: rows.map((row) => this.#toEntry(row)) };
  }

  put(key: StoreKey, value: unknown, expectation: Expectation = {}): Promise<Written> {
    return this.transaction([{ kind: "put", key, value, ...expectation }]);
  }

  delete(key: StoreKey, expectation: Expectation = {}): Promise<Written> {
    return this.transaction([{ kind: "delete", key, ...expectation }]);
  }

  async transaction(writes: readonly Write[]): Promise<Written> {
    const texts = writes.map((write) => (write.kind === "put" ? toText(write) : undefined));
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const written = this.#write(writes, texts);
      this.#database.exec(written.kind === "written" ? "COMMIT" : "ROLLBACK");
      if (written.kind === "written") this.#watches.notify();
      return written;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw explain(this.#options.file, error);
    }
  }

  watch(options: WatchOptions): { close(): void } {
    return this.#watches.add(options);
  }

  async history(key: StoreKey, limit: number): Promise<readonly Change[]> {
    const sql = "SELECT * FROM change WHERE kind = ? AND namespace = ? AND name = ? ORDER BY revision DESC, place DESC LIMIT ?";
    return this.#all(sql, key.kind, key.namespace, key.name, limit).map((row) => this.#toChange(row));
  }

  async close(): Promise<void> {
    this.#watches.close();
    if (this.#database.isOpen) this.#database.close();
  }

  #write(writes: readonly Write[], texts: readonly (string | undefined)[]): Written {
    const before = this.#counter();
    const revision = before.revision + 1;
    let { entries, changes } = before;
    let place = 0;
    for (const [i, write] of writes.entries()) {
      const { key, expectedRevision } = write;
      const current = this.#findRow(key);
      if (expectedRevision !== undefined && expectedRevision !== (current?.revision ?? 0))
        return { kind: "conflict", key, ...(current && { current: this.#toEntry(current) }) };
      if (write.kind === "delete" && current === undefined) continue;
      if (current !== undefined) entries = toggle(entries, current.sum);
      const value = texts[i] ?? null;
      const sum = value === null ? undefined : this.#putRow({ ...key, value, revision });
      if (sum === undefined)
        this.#run("DELETE FROM entry WHERE kind = ? AND namespace = ? AND name = ?", key.kind, key.namespace, key.name);
      else entries = toggle(entries, sum);
      changes = toggle(changes, this.#addChange({ ...key, value, revision, place, at_ms: this.#options.now() }));
      place += 1;
    }
    if (place === 0) return { kind: "written", revision: before.revision };
    this.#setCounter(this.#forget({ ...before, revision, entries, changes }));
    return { kind: "written", revision };
  }

  #putRow(row: SummedRow): string {
    const sum = sumOf(row);
    this.#run("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?)", row.kind, row.namespace, row.name, row.value, row.revision, sum);
    return sum;
  }

  #addChange(row: Required<SummedRow>): string {
    const sum = sumOf(row);
    const { revision, place, kind, namespace, name, value, at_ms: atMs } = row;
    this.#run("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", revision, place, kind, namespace, name, value, atMs, sum);
    return sum;
  }

  #forget(counter: Counter): Counter {
    const upTo = counter.revision - this.#options.rememberedRevisions;
    // In strides, so that not every write deletes.
    if (upTo - counter.forgotten < Math.min(100, this.#options.rememberedRevisions)) return counter;
    const gone = this.#all("SELECT sum FROM change WHERE revision <= ?", upTo);
    this.#run("DELETE FROM change WHERE revision <= ?", upTo);
    return { ...counter, forgotten: upTo, changes: gone.reduce((changes, { sum }) => toggle(changes, sum), counter.changes) };
  }

  #changesAfter(revision: number): readonly Change[] | undefined {
    if (revision < this.#counter().forgotten) return undefined;
    return this.#all("SELECT * FROM change WHERE revision > ? ORDER BY revision, place", revision).map((row) => this.#toChange(row));
  }

  #find(key: StoreKey): Entry | undefined {
    const row = this.#findRow(key);
    return row && this.#toEntry(row);
  }

  #findRow(key: StoreKey): Row | undefined {
    return this.#all("SELECT * FROM entry WHERE kind = ? AND namespace = ? AND name = ?", key.kind, key.namespace, key.name)[0];
  }

  #counter(): Counter {
    const [counter] = this.#all("SELECT * FROM counter") as unknown as readonly (Counter & { readonly sum: string })[];
    if (counter === undefined || sumOfCounter(counter) !== counter.sum)
      throw damaged(this.#options.file, "its counter has another checksum");
    return counter;
  }

  #setCounter(counter: Counter): void {
    const { revision, forgotten, entries, changes } = counter;
    const sum = sumOfCounter(counter);
    this.#run(
      "UPDATE counter SET revision = ?, forgotten = ?, entries = ?, changes = ?, sum = ?",
      revision,
      forgotten,
      entries,
      changes,
      sum,
    );
  }

  #toEntry(row: Row): Entry {
    const { kind, namespace, name, value, revision } = this.#checked(row);
    return { key: { kind, namespace, name }, value: JSON.parse(value ?? "null") as unknown, revision };
  }

  #toChange(row: Row): Change {
    const { kind, namespace, name, revision, value, at_ms: atMs = 0 } = this.#checked(row);
    const key = { kind, namespace, name };
    return { key, revision, atMs, ...(value !== null && { entry: { key, value: JSON.parse(value) as unknown, revision } }) };
  }

  #checked({ sum, ...row }: Row): SummedRow {
    if (sumOf(row) === sum) return row;
    throw damaged(this.#options.file, `${row.kind} ${row.namespace}/${row.name} has another checksum`);
  }

  #all(sql: string, ...values: (string | number | null)[]): readonly Row[] {
    try {
      return this.#prepare(sql).all(...values) as unknown as readonly Row[];
    } catch (error) {
      throw explain(this.#options.file, error);
    }
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#prepare(sql).run(...values);
  }

  #prepare(sql: string): StatementSync {
    if (!this.#database.isOpen) throw new MeshError("bug", `the store ${this.#options.file} is closed`);
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

function toText({ key, value }: Extract<Write, { kind: "put" }>): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new MeshError("bug", `the value of ${key.kind}/${key.name} is no JSON`);
  if (text.length > LARGEST_VALUE)
    throw new MeshError("usage", `${key.kind} ${key.name} is larger than 4 MiB`, { help: "make it smaller" });
  return text;
}
