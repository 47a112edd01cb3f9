import type { DatabaseSync } from "node:sqlite";
import { NO_SUM, type SummedRow, sumOf, sumOfValues, toggle } from "./row-sums.ts";

/** The version of the tables below; a store of a newer one is refused, not guessed at. */
export const TABLES_VERSION = 2;

const ENTRY =
  "CREATE TABLE entry (kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL, sum TEXT NOT NULL, PRIMARY KEY (kind, namespace, name)) STRICT, WITHOUT ROWID";
const CHANGE =
  "CREATE TABLE change (revision INTEGER NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value TEXT, at_ms INTEGER NOT NULL, sum TEXT NOT NULL, PRIMARY KEY (revision, place)) STRICT, WITHOUT ROWID";
const CHANGE_BY_KEY = "CREATE INDEX change_by_key ON change (kind, namespace, name, revision)";
/** `entries` and `changes` are the sums of all rows of the two tables, so that none can go missing; `sum` is the one of this row. */
const COUNTER =
  "CREATE TABLE counter (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, forgotten INTEGER NOT NULL, entries TEXT NOT NULL, changes TEXT NOT NULL, sum TEXT NOT NULL) STRICT";
const TABLES = [CHANGE, CHANGE_BY_KEY, COUNTER, ENTRY];

export interface Counter {
  readonly revision: number;
  readonly forgotten: number;
  readonly entries: string;
  readonly changes: string;
}

type Row = SummedRow & { readonly sum: string };

export function createTables(database: DatabaseSync): void {
  inTransaction(database, () => {
    for (const sql of TABLES) database.exec(sql);
    insertCounter(database, { revision: 0, forgotten: 0, entries: NO_SUM, changes: NO_SUM });
  });
}

/** Version 1 had no sums: its rows get them as they are. */
export function migrateTables(database: DatabaseSync): void {
  inTransaction(database, () => {
    const { revision, forgotten } = database.prepare("SELECT revision, forgotten FROM counter").get() as unknown as Counter;
    database.exec("DROP INDEX change_by_key; DROP TABLE counter");
    database.exec("ALTER TABLE entry RENAME TO entry_1; ALTER TABLE change RENAME TO change_1");
    for (const sql of TABLES) database.exec(sql);
    const entries = copy(database, "SELECT * FROM entry_1", "entry", (row) => [row.kind, row.namespace, row.name, row.value, row.revision]);
    const changes = copy(database, "SELECT * FROM change_1", "change", (row) => [
      ...[row.revision, row.place ?? 0, row.kind, row.namespace, row.name],
      ...[row.value, row.at_ms ?? 0],
    ]);
    database.exec("DROP TABLE entry_1; DROP TABLE change_1");
    insertCounter(database, { revision, forgotten, entries, changes });
  });
}

function inTransaction(database: DatabaseSync, work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  work();
  database.exec(`PRAGMA user_version = ${TABLES_VERSION}; COMMIT`);
}

function copy(database: DatabaseSync, from: string, to: string, columns: (row: Row) => readonly (string | number | null)[]): string {
  let all = NO_SUM;
  for (const row of database.prepare(from).iterate() as Iterable<unknown>) {
    const values = columns(row as Row);
    const sum = sumOf(row as Row);
    database.prepare(`INSERT INTO ${to} VALUES (${[...values, sum].map(() => "?").join(", ")})`).run(...values, sum);
    all = toggle(all, sum);
  }
  return all;
}

function insertCounter(database: DatabaseSync, counter: Counter): void {
  const { revision, forgotten, entries, changes } = counter;
  database.prepare("INSERT INTO counter VALUES (1, ?, ?, ?, ?, ?)").run(revision, forgotten, entries, changes, sumOfCounter(counter));
}

export function sumOfCounter({ revision, forgotten, entries, changes }: Counter): string {
  return sumOfValues([revision, forgotten, entries, changes]);
}

/** Reads everything once. Returns what is not as it was written; undefined where all of it is. */
export function findDamage(database: DatabaseSync): string | undefined {
  const check = database.prepare("PRAGMA integrity_check(1)").get() as { integrity_check?: string } | undefined;
  if (check?.integrity_check !== "ok") return check?.integrity_check ?? "the integrity check gave no answer";
  const schema = database.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").all();
  if (JSON.stringify(schema.map(({ sql }) => sql)) !== JSON.stringify(TABLES)) return "its tables have another form";
  const counters = database.prepare("SELECT * FROM counter").all() as unknown as (Counter & { readonly sum: string })[];
  const [counter] = counters;
  if (counter === undefined || counters.length > 1 || sumOfCounter(counter) !== counter.sum) return "its counter has another checksum";
  return (
    findDamagedRow(database, "SELECT * FROM entry", counter.entries) ?? findDamagedRow(database, "SELECT * FROM change", counter.changes)
  );
}

function findDamagedRow(database: DatabaseSync, sql: string, expected: string): string | undefined {
  let all = NO_SUM;
  for (const row of database.prepare(sql).iterate() as Iterable<unknown>) {
    const { sum, ...rest } = row as Row;
    if (sumOf(rest) !== sum) return `${rest.kind} ${rest.namespace}/${rest.name} has another checksum`;
    all = toggle(all, sum);
  }
  return all === expected ? undefined : "an entry is missing";
}
