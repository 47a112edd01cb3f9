import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StandIn, startForTest } from "@platform/database/testing";
import { type Database, openDatabase } from "@platform/service-kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFolderStore } from "./folder-store.ts";
import { CHUNK_BYTES, createPostgresStore } from "./postgres-store.ts";
import type { ByteRange, ContentStore } from "./store.ts";
import { sweep } from "./sweep.ts";

let standIn: StandIn;
let database: Database;
const folder = mkdtempSync(join(tmpdir(), "platform-contents-"));

beforeAll(async () => {
  standIn = await startForTest();
  const url = standIn.serviceUrl("videos");
  const onIdleError = () => undefined;
  database = openDatabase({ url, readerUrl: url, ca: standIn.ca, poolSize: 4, applicationName: "test", onIdleError });
});
afterAll(async () => {
  await database?.close();
  await standIn?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const BYTES = randomBytes(2 * CHUNK_BYTES + 1_000);

async function* pieces(bytes: Buffer, size: number): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readAll(store: ContentStore, key: string, range: ByteRange): Promise<Buffer> {
  const read: Uint8Array[] = [];
  for await (const piece of store.read(key, range)) read.push(piece);
  return Buffer.concat(read);
}

const later = () => new Date(Date.now() + 60_000);

describe.each([
  { name: "PostgreSQL", open: () => createPostgresStore(database) },
  { name: "folder", open: () => createFolderStore(join(folder, "new")) },
])("the store: $name", ({ open }) => {
  test.each([
    { title: "all of it", start: 0, end: BYTES.length - 1 },
    { title: "the first byte", start: 0, end: 0 },
    { title: "the last byte", start: BYTES.length - 1, end: BYTES.length - 1 },
    { title: "over the border of two chunks", start: CHUNK_BYTES - 3, end: CHUNK_BYTES + 3 },
    { title: "exactly the second chunk", start: CHUNK_BYTES, end: 2 * CHUNK_BYTES - 1 },
  ])("reads $title as it was written", async ({ start, end }) => {
    const key = await open().write(pieces(BYTES, 60_001));
    expect((await readAll(open(), key, { start, end })).equals(BYTES.subarray(start, end + 1))).toBe(true);
  });

  test("takes pieces of any size", async () => {
    for (const size of [CHUNK_BYTES, 2 * CHUNK_BYTES, BYTES.length]) {
      const key = await open().write(pieces(BYTES, size));
      expect((await readAll(open(), key, { start: 0, end: BYTES.length - 1 })).equals(BYTES)).toBe(true);
    }
  });

  test("leaves nothing of bytes that break off", async () => {
    const store = open();
    const before = await store.keysBefore(later());
    async function* broken(): AsyncIterable<Buffer> {
      yield BYTES;
      throw new Error("the client went away");
    }
    await expect(store.write(broken())).rejects.toThrow("the client went away");
    expect(await store.keysBefore(later())).toEqual(before);
  });

  test("throws for what is not there, what was removed, and what ends too early", async () => {
    const store = open();
    const key = await store.write(pieces(BYTES, 60_001));
    await expect(readAll(store, key, { start: 0, end: BYTES.length })).rejects.toThrow("ends before byte");
    await store.remove(key);
    await store.remove(key);
    await expect(readAll(store, key, { start: 0, end: 9 })).rejects.toThrow(/ends before byte|ENOENT/);
    await expect(readAll(store, randomUUID(), { start: 0, end: 9 })).rejects.toThrow(/ends before byte|ENOENT/);
  });

  test("a sweep removes what is old and unused, and nothing else", async () => {
    const store = open();
    const [used, unused] = [await store.write(pieces(BYTES, 60_001)), await store.write(pieces(BYTES, 60_001))];
    const options = { store, used: async () => new Set([used]), now: Date.now() };
    await sweep({ ...options, olderThanMs: 3_600_000 });
    expect(await store.keysBefore(later())).toEqual(expect.arrayContaining([used, unused]));
    expect(await sweep({ ...options, olderThanMs: -60_000 })).toBeGreaterThan(0);
    expect(await store.keysBefore(later())).toEqual([used]);
  });
});

test("the folder's keys can't lead out of it, and its files are the owner's alone", async () => {
  const store = createFolderStore(join(folder, "keys"));
  await store.write(pieces(BYTES, 60_001));
  await expect(store.remove("../x")).rejects.toThrow("no key");
  await expect(readAll(store, "../../etc/passwd", { start: 0, end: 1 })).rejects.toThrow("no key");
  expect(readdirSync(join(folder, "keys"))).toHaveLength(1);
});
