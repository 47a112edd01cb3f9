import { copyFile, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { MeshError } from "../model/error.ts";
import { soakRounds } from "../testing/soak.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Change, Store } from "./store.ts";

const ROUNDS = soakRounds(25, 200);

let folder = "";
let file = "";
let copy = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kumiko-damage-"));
  file = join(folder, "store.db");
  copy = join(folder, "copy.db");
});

afterEach(() => rm(folder, { recursive: true }));

const keyOf = (i: number) => ({ kind: i % 3 === 0 ? "Pod" : "AuthorizationPolicy", namespace: `n${i % 5}`, name: `r${i}` });

/** Some hundred entries that were written, overwritten and deleted. */
async function fill(): Promise<void> {
  const store = openSqliteStore({ file, rememberedRevisions: 150 });
  for (let i = 0; i < 120; i++) await store.put(keyOf(i), { action: "DENY", rules: [{ n: i, text: "x".repeat((i * 37) % 900) }] });
  for (let i = 0; i < 120; i += 4) await store.put(keyOf(i), { action: "ALLOW", n: -i });
  for (let i = 0; i < 120; i += 7) await store.delete(keyOf(i));
  await store.close();
}

/** All that anybody could read. */
async function contentOf(store: Store): Promise<string> {
  const changes: Change[] = [];
  const { revision, entries } = await store.list();
  const found = await Promise.all(entries.map(({ key }) => store.get(key)));
  const histories = await Promise.all([0, 4, 7, 28].map((i) => store.history(keyOf(i), 10)));
  const watch = store.watch({ afterRevision: 100, onChanges: (more) => changes.push(...more), onExpired: () => {} });
  await vi.waitFor(() => expect(changes.at(-1)?.revision).toBe(revision));
  watch.close();
  return JSON.stringify({ revision, entries, found, histories, changes });
}

/** `refused`, with file and next command; `same`, also after one more write; else what is wrong. */
async function outcomeOf(path: string, right: readonly string[]): Promise<string> {
  let store: Store | undefined;
  try {
    store = openSqliteStore({ file: path, rememberedRevisions: 150 });
    if (!right.includes(await contentOf(store))) return "another content, without a word";
    await store.put(keyOf(1), "one more");
    await store.close();
    store = openSqliteStore({ file: path, rememberedRevisions: 150 });
    return (await store.get(keyOf(1)))?.value === "one more" ? "same" : "a write is lost";
  } catch (error) {
    const isClear = error instanceof MeshError && error.code === "io" && error.message.includes(path) && (error.help ?? "") !== "";
    return isClear ? "refused" : `an unclear error: ${String(error)}`;
  } finally {
    await store?.close();
  }
}

let seed = 11;
const random = (below: number) => {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed % below;
};

async function flipBit(path: string, bit: number): Promise<void> {
  const handle = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, bit >> 3);
  byte[0] = (byte[0] ?? 0) ^ (1 << (bit & 7));
  await handle.write(byte, 0, 1, bit >> 3);
  await handle.close();
}

function tally(outcomes: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries([...Map.groupBy(outcomes, (outcome) => outcome)].map(([outcome, all]) => [outcome, all.length]));
}

describe("damage to the file is found, or changes nothing that can be read:", { timeout: 1_800_000 }, () => {
  test(`${ROUNDS} single bits`, async ({ annotate }) => {
    await fill();
    const bytes = await readFile(file);
    const whole = openSqliteStore({ file });
    const right = await contentOf(whole);
    await whole.close();
    const outcomes: string[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      await writeFile(copy, bytes);
      await flipBit(copy, random(bytes.length * 8));
      outcomes.push(await outcomeOf(copy, [right]));
    }
    await annotate(JSON.stringify(tally(outcomes)));
    expect(outcomes.filter((outcome) => outcome !== "refused" && outcome !== "same")).toEqual([]);
    expect(tally(outcomes)["refused"]).toBeGreaterThan(ROUNDS / 2);
  });

  test(`${ROUNDS} truncations`, async () => {
    await fill();
    const bytes = await readFile(file);
    const outcomes: string[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      await writeFile(copy, bytes);
      await truncate(copy, i === 0 ? 0 : i % 2 === 0 ? random(bytes.length) : 4096 * random(bytes.length / 4096));
      outcomes.push(await outcomeOf(copy, []));
    }
    expect(tally(outcomes)).toEqual({ refused: ROUNDS });
  });

  test(`${ROUNDS} single bits in the journal of a write that was interrupted`, async ({ annotate }) => {
    await fill();
    const before = openSqliteStore({ file });
    const right = [await contentOf(before)];
    await before.close();
    const { bytes, journal } = await interruptedWrite();
    await writeFile(copy, bytes);
    await writeFile(`${copy}-journal`, journal);
    expect(await outcomeOf(copy, right)).toBe("same");
    const outcomes: string[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      await writeFile(copy, bytes);
      await writeFile(`${copy}-journal`, journal);
      await flipBit(`${copy}-journal`, random(journal.length * 8));
      outcomes.push(await outcomeOf(copy, right));
    }
    await annotate(JSON.stringify(tally(outcomes)));
    expect(outcomes.filter((outcome) => outcome !== "refused" && outcome !== "same")).toEqual([]);
  });
});

test("a new store takes nothing over from what an earlier one of its name has left beside it", async () => {
  await fill();
  const { journal } = await interruptedWrite();
  await rm(file);
  await writeFile(`${file}-journal`, journal);
  // As the first version wrote it.
  const other = join(folder, "other.db");
  const database = new DatabaseSync(other);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE entry (kind TEXT); INSERT INTO entry VALUES ('Pod')");
  await copyFile(`${other}-wal`, `${file}-wal`);
  database.close();
  for (let i = 0; i < 2; i++) {
    const store = openSqliteStore({ file });
    expect(await store.list()).toEqual({ revision: 0, entries: [] });
    await store.close();
  }
});

/** File and journal as a process leaves them that ends while half of its pages are written. */
async function interruptedWrite(): Promise<{ readonly bytes: Buffer; readonly journal: Buffer }> {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = TRUNCATE; PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE");
  database.exec("UPDATE entry SET value = '\"torn\"' WHERE kind = 'AuthorizationPolicy'");
  await copyFile(file, `${file}.torn`);
  await copyFile(`${file}-journal`, `${file}.torn-journal`);
  database.exec("ROLLBACK");
  database.close();
  const [whole, bytes, journal] = await Promise.all([file, `${file}.torn`, `${file}.torn-journal`].map((path) => readFile(path)));
  expect(bytes?.equals(whole ?? Buffer.alloc(0))).toBe(false);
  return { bytes: bytes ?? Buffer.alloc(0), journal: journal ?? Buffer.alloc(0) };
}

describe("rows that SQLite finds in order are refused where", () => {
  test.each([
    ["a value was changed", "UPDATE entry SET value = replace(value, 'DENY', 'ALLOW') WHERE name = 'r1'", "AuthorizationPolicy n1/r1"],
    [
      "two rows have changed places",
      "UPDATE entry SET (value, revision, sum) = (SELECT value, revision, sum FROM entry other WHERE other.name = iif(entry.name = 'r1', 'r2', 'r1')) WHERE name IN ('r1', 'r2')",
      "another checksum",
    ],
    [
      "a row is an older version of itself",
      "UPDATE entry SET (value, revision, sum) = (SELECT value, revision, sum FROM change WHERE name = 'r32' ORDER BY revision LIMIT 1) WHERE name = 'r32'",
      "r32",
    ],
    ["a row is missing", "DELETE FROM entry WHERE name = 'r1'", "an entry is missing"],
    ["a change is missing", "DELETE FROM change WHERE revision = 130", "an entry is missing"],
    ["the counter is behind", "UPDATE counter SET revision = revision - 1", "its counter has another checksum"],
    ["a table is made otherwise", "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END", "another form"],
    ["the version says that there are no checksums yet", "PRAGMA user_version = 1", "its version has changed"],
  ])("%s", async (_, sql, message) => {
    await fill();
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
    const refusal = {
      code: "io",
      message: expect.stringContaining(message) as string,
      help: expect.stringContaining(`mv ${file}`) as string,
    };
    expect(() => openSqliteStore({ file })).toThrow(expect.objectContaining(refusal));
  });

  test("they change while the store is open", async () => {
    await fill();
    const store = openSqliteStore({ file });
    const database = new DatabaseSync(file);
    database.exec("UPDATE entry SET value = '{}' WHERE name = 'r1'");
    database.close();
    await expect(store.get(keyOf(1))).rejects.toThrow("r1 has another checksum");
    await expect(store.list()).rejects.toThrow("is damaged");
    expect(await store.get(keyOf(2))).toMatchObject({ value: { action: "DENY" } });
    await store.close();
  });
});

test("a store of the first version is taken over with all that is in it, its log included", async () => {
  const old = new DatabaseSync(file);
  old.exec(`
    PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
    CREATE TABLE entry (kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (kind, namespace, name)) STRICT, WITHOUT ROWID;
    CREATE TABLE change (revision INTEGER NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value TEXT, at_ms INTEGER NOT NULL, PRIMARY KEY (revision, place)) STRICT, WITHOUT ROWID;
    CREATE INDEX change_by_key ON change (kind, namespace, name, revision);
    CREATE TABLE counter (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, forgotten INTEGER NOT NULL) STRICT;
    INSERT INTO counter VALUES (1, 3, 1);
    INSERT INTO entry VALUES ('Pod', 'shop', 'b', '"two"', 3);
    INSERT INTO change VALUES (2, 0, 'Pod', 'shop', 'a', NULL, 5), (3, 0, 'Pod', 'shop', 'b', '"two"', 6);
    PRAGMA user_version = 1;
  `);
  for (const end of ["", "-wal"]) await copyFile(`${file}${end}`, `${copy}${end}`);
  old.close();
  for (let i = 0; i < 2; i++) {
    const store = openSqliteStore({ file: copy });
    expect(await store.list()).toEqual({
      revision: 3 + i,
      entries: [{ key: { kind: "Pod", namespace: "shop", name: "b" }, value: "two", revision: 3 }].concat(
        i === 0 ? [] : [{ key: { kind: "Pod", namespace: "shop", name: "c" }, value: "three", revision: 4 }],
      ),
    });
    expect(await store.history({ kind: "Pod", namespace: "shop", name: "a" }, 9)).toMatchObject([{ revision: 2, atMs: 5 }]);
    if (i === 0) await store.put({ kind: "Pod", namespace: "shop", name: "c" }, "three");
    await store.close();
  }
});
