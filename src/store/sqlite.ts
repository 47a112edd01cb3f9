import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { MeshError } from "../model/error.ts";
import type { Change, Entry, Expectation, Filter, Store, StoreKey, WatchOptions, Write, Written } from "./store.ts";
import { Watches } from "./watches.ts";

/** The version of the tables below; a store of a newer one is refused, not guessed at. */
const TABLES_VERSION = 1;
const LARGEST_VALUE = 4 * 1024 * 1024;

const TABLES = `
  CREATE TABLE IF NOT EXISTS entry (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (kind, namespace, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS change (
    revision INTEGER NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    value TEXT, at_ms INTEGER NOT NULL,
    PRIMARY KEY (revision, place)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS change_by_key ON change (kind, namespace, name, revision);
  CREATE TABLE IF NOT EXISTS counter (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, forgotten INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO counter VALUES (1, 0, 0);
`;

export interface SqliteOptions {
  readonly file: string;
  /** How many of the last revisions are remembered for `watch` and `history`. 10,000. */
  readonly rememberedRevisions?: number;
  readonly now?: () => number;
}

/**
 * Opens or creates a store in one SQLite file (0600), with data and revision in one transaction and every commit on the disk before it is
 * acknowledged. Throws MeshError where the file is damaged or can't be used.
 */
export function openSqliteStore({ file, rememberedRevisions = 10_000, now = Date.now }: SqliteOptions): Store {
  const database = openDatabase(file);
  return new SqliteStore(database, { file, rememberedRevisions, now });
}

function openDatabase(file: string): DatabaseSync {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, "a", 0o600));
    chmodSync(file, 0o600);
  } catch (error) {
    throw new MeshError("io", `the store ${file} can't be opened: ${MeshError.from(error).message}`, {
      help: `ls -la ${dirname(file)}`,
      cause: error,
    });
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
    );
    const check = database.prepare("PRAGMA integrity_check(1)").get() as { integrity_check?: string } | undefined;
    if (check?.integrity_check !== "ok") throw new Error(check?.integrity_check ?? "integrity check gave no answer");
  } catch (error) {
    database?.close();
    throw damaged(file, error);
  }
  prepareTables(database, file);
  return database;
}

function prepareTables(database: DatabaseSync, file: string): void {
  const { user_version: version = 0 } = database.prepare("PRAGMA user_version").get() as { user_version?: number };
  if (version > TABLES_VERSION) {
    database.close();
    throw new MeshError("io", `the store ${file} was written by a newer version`, {
      help: "install the version that wrote it: kumiko version",
    });
  }
  database.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version = ${TABLES_VERSION}; COMMIT;`);
}

function damaged(file: string, error: unknown): MeshError {
  const help = `put a backup in its place, or begin with an empty one: mv ${file} ${file}.damaged (to save what can be read: sqlite3 ${file}.damaged .recover)`;
  return new MeshError("io", `the store ${file} is damaged: ${MeshError.from(error).message}`, { help, cause: error });
}

interface Row {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly value: string | null;
  readonly revision: number;
  readonly at_ms?: number;
}

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
    return { revision: this.#counter().revision, entries: rows.map(toEntry) };
  }

  put(key: StoreKey, value: unknown, expectation: Expectation = {}): Promise<Written> {
    return this.transaction([{ kind: "put", key, value, ...expectation }]);
  }

  delete(key: StoreKey, expectation: Expectation = {}): Promise<Written> {
    return this.transaction([{ kind: "delete", key, ...expectation }]);
  }

  async transaction(writes: readonly Write[]): Promise<Written> {
    const texts = writes.map((write) => (write.kind === "put" ? toText(write) : undefined));
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const written = this.#write(writes, texts);
      this.#database.exec(written.kind === "written" ? "COMMIT" : "ROLLBACK");
      if (written.kind === "written") this.#watches.notify();
      return written;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw MeshError.from(error, "io");
    }
  }

  watch(options: WatchOptions): { close(): void } {
    return this.#watches.add(options);
  }

  async history(key: StoreKey, limit: number): Promise<readonly Change[]> {
    const sql = "SELECT * FROM change WHERE kind = ? AND namespace = ? AND name = ? ORDER BY revision DESC, place DESC LIMIT ?";
    return this.#all(sql, key.kind, key.namespace, key.name, limit).map(toChange);
  }

  async close(): Promise<void> {
    this.#watches.close();
    if (this.#database.isOpen) this.#database.close();
  }

  #write(writes: readonly Write[], texts: readonly (string | undefined)[]): Written {
    const before = this.#counter().revision;
    const revision = before + 1;
    let place = 0;
    for (const [i, write] of writes.entries()) {
      const { key, expectedRevision } = write;
      const current = this.#find(key);
      if (expectedRevision !== undefined && expectedRevision !== (current?.revision ?? 0))
        return { kind: "conflict", key, ...(current && { current }) };
      if (write.kind === "delete" && current === undefined) continue;
      const text = texts[i] ?? null;
      if (text === null) this.#run("DELETE FROM entry WHERE kind = ? AND namespace = ? AND name = ?", key.kind, key.namespace, key.name);
      else this.#run("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)", key.kind, key.namespace, key.name, text, revision);
      this.#run(
        "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?)",
        revision,
        place++,
        key.kind,
        key.namespace,
        key.name,
        text,
        this.#options.now(),
      );
    }
    if (place === 0) return { kind: "written", revision: before };
    this.#run("UPDATE counter SET revision = ?", revision);
    this.#forget(revision - this.#options.rememberedRevisions);
    return { kind: "written", revision };
  }

  #forget(upTo: number): void {
    const { forgotten } = this.#counter();
    // In strides, so that not every write deletes.
    if (upTo - forgotten < Math.min(100, this.#options.rememberedRevisions)) return;
    this.#run("DELETE FROM change WHERE revision <= ?", upTo);
    this.#run("UPDATE counter SET forgotten = ?", upTo);
  }

  #changesAfter(revision: number): readonly Change[] | undefined {
    if (revision < this.#counter().forgotten) return undefined;
    return this.#all("SELECT * FROM change WHERE revision > ? ORDER BY revision, place", revision).map(toChange);
  }

  #find(key: StoreKey): Entry | undefined {
    const [row] = this.#all("SELECT * FROM entry WHERE kind = ? AND namespace = ? AND name = ?", key.kind, key.namespace, key.name);
    return row && toEntry(row);
  }

  #counter(): { readonly revision: number; readonly forgotten: number } {
    return this.#prepare("SELECT revision, forgotten FROM counter").get() as { revision: number; forgotten: number };
  }

  #all(sql: string, ...values: (string | number | null)[]): readonly Row[] {
    return this.#prepare(sql).all(...values) as unknown as readonly Row[];
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

function toEntry({ kind, namespace, name, value, revision }: Row): Entry {
  return { key: { kind, namespace, name }, value: JSON.parse(value ?? "null") as unknown, revision };
}

function toChange(row: Row): Change {
  const { kind, namespace, name, revision } = row;
  return { key: { kind, namespace, name }, revision, atMs: row.at_ms ?? 0, ...(row.value !== null && { entry: toEntry(row) }) };
}
