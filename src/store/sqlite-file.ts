import { chmodSync, closeSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MeshError } from "../model/error.ts";
import { createTables, findDamage, migrateTables, TABLES_VERSION } from "./sqlite-tables.ts";

/**
 * A journal that is rolled back, not a log that is written ahead: what was acknowledged stands in the file itself, where its checksums are. A log
 * with a damaged frame ends there without a word, and what came after it would be gone. A transaction's end is on the disk before it returns.
 */
const SETTINGS =
  "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";

/** SQLite's primary result codes. */
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const FULL = 13;
const CANTOPEN = 14;
/** ERROR (a table that isn't there), CORRUPT, CONSTRAINT, MISMATCH, FORMAT, NOTADB. */
const DAMAGE = new Set([1, 11, 19, 20, 24, 26]);

/**
 * Opens the file, or makes one (0600), and reads all of it: what is not as it was written is found now.
 * @throws MeshError `io` with the file and the next command, where it is damaged or can't be used.
 */
export function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (statSync(file, { throwIfNoEntry: false }) === undefined) createFile(file);
    chmodSync(file, 0o600);
    // SQLite takes an empty file for a new database.
    if (statSync(file).size === 0) throw damaged(file, "it is empty");
    database = new DatabaseSync(file);
    database.exec(SETTINGS);
    prepare(database, file);
    return database;
  } catch (error) {
    if (database?.isOpen === true) database.close();
    throw explain(file, error);
  }
}

/** What SQLite would read into a file of that name: a journal that is rolled back, a log that is taken over. */
const BESIDE = ["-journal", "-wal", "-shm"];

/**
 * Under its name only once it is whole: a process that ends before that leaves no empty store behind. What an earlier store of that name, moved
 * away since, has left beside it is none of the new one's.
 */
function createFile(file: string): void {
  const next = `${file}.new`;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  for (const old of [next, ...BESIDE.flatMap((end) => [next + end, file + end])]) rmSync(old, { force: true });
  closeSync(openSync(next, "wx", 0o600));
  const database = new DatabaseSync(next);
  try {
    database.exec(SETTINGS);
    createTables(database);
  } finally {
    database.close();
  }
  renameSync(next, file);
  rmSync(`${next}-journal`, { force: true });
}

function prepare(database: DatabaseSync, file: string): void {
  const { user_version: version = 0 } = database.prepare("PRAGMA user_version").get() as { user_version?: number };
  if (version > TABLES_VERSION) {
    throw new MeshError("io", `the store ${file} was written by a newer version`, {
      help: "install the version that wrote it: kumiko version",
    });
  }
  if (version === 1 && !hasSums(database)) migrateTables(database);
  else if (version !== TABLES_VERSION) throw damaged(file, "its version has changed");
  const damage = findDamage(database);
  if (damage !== undefined) throw damaged(file, damage);
}

function hasSums(database: DatabaseSync): boolean {
  const columns = database.prepare("SELECT name FROM pragma_table_info('counter')").all();
  return columns.some(({ name }) => name === "sum");
}

export function damaged(file: string, problem: string, cause?: unknown): MeshError {
  const help = `put a backup in its place, or begin with an empty one: mv ${file} ${file}.damaged (to save what can be read: sqlite3 ${file}.damaged .recover)`;
  return new MeshError("io", `the store ${file} is damaged: ${problem}`, { help, cause });
}

/** What SQLite or the system says, in words of ours and with the next command. */
export function explain(file: string, thrown: unknown): MeshError {
  const errcode = typeof thrown === "object" && thrown !== null ? (thrown as { readonly errcode?: unknown }).errcode : undefined;
  if (typeof errcode !== "number") return MeshError.from(thrown, "io");
  const { message } = thrown as Error;
  const folder = dirname(file);
  const failure = (what: string, help: string) => new MeshError("io", `the store ${file} ${what}`, { help, cause: thrown });
  // An extended code has the primary one in its lowest byte.
  switch (errcode & 0xff) {
    case FULL:
      return failure("can't be written: there is no space left", `df -h ${folder}`);
    case IOERR:
      return failure(`can't be read or written (${message})`, `df -h ${folder}; and look for the disk's errors: dmesg | tail`);
    case BUSY:
      return failure("is in use by another process", "kumiko status, or kumiko down");
    case READONLY:
    case CANTOPEN:
      return failure(`can't be opened for writing (${message})`, `ls -la ${folder}`);
    default:
      return DAMAGE.has(errcode & 0xff) ? damaged(file, message, thrown) : failure(`can't be used (${message})`, `ls -la ${folder}`);
  }
}
