import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openSqliteStore, type Store } from "../store/index.ts";
import { type Declared, mergeDeclared } from "./merge.ts";
import { readText } from "./read-text.ts";
import { startStoreSource } from "./store-source.ts";
import { EMPTY_FILE, updateFile } from "./file-memory.ts";

let folder = "";
let store: Store;
let seen: Declared[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kumiko-store-source-"));
  store = openSqliteStore({ file: join(folder, "store.db") });
  seen = [];
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

const key = { kind: "DestinationRule", namespace: "shop", name: "users" };
const rule = (host: string) => ({
  apiVersion: "networking.istio.io/v1",
  kind: "DestinationRule",
  metadata: { name: "users", namespace: "shop" },
  spec: { host },
});
const start = () => startStoreSource({ store, onChange: (declared) => seen.push(declared) });
const hosts = () => seen.at(-1)?.resources.map(({ body }) => (body as { spec: { host: string } }).spec.host);

test("what is in the store is a resource, with the lines of its JSON", async () => {
  await store.put(key, rule("users"));
  await store.put({ kind: "JoinToken", namespace: "", name: "t" }, { not: "a resource" });
  const source = await start();
  expect(hosts()).toEqual(["users"]);
  expect(seen[0]?.resources[0]?.locate(["spec", "host"])).toEqual({ file: "store:DestinationRule/shop/users", line: 9, column: 5 });
  expect(seen[0]?.diagnostics).toEqual([]);
  source.close();
});

test("a change is seen, one that is no resource is not, and a wrong one keeps its last good version", async () => {
  const source = await start();
  await store.put(key, rule("users"));
  await vi.waitFor(() => expect(hosts()).toEqual(["users"]));
  await store.put(key, rule("not a host"));
  await vi.waitFor(() => expect(seen.at(-1)?.diagnostics.map(({ code }) => code)).toEqual(["KMK1001", "KMK0006"]));
  expect(hosts()).toEqual(["users"]);
  await store.put({ kind: "JoinToken", namespace: "", name: "t" }, 1);
  await store.delete(key);
  await vi.waitFor(() => expect(hosts()).toEqual([]));
  expect(seen).toHaveLength(4);
  source.close();
});

test("a resource in a folder wins over the store's, and both places are named", async () => {
  await store.put(key, rule("from-the-store"));
  const source = await start();
  const files = updateFile(EMPTY_FILE, readText(JSON.stringify(rule("from-the-folder")), "dir/a.json").documents);
  const { resources, diagnostics } = mergeDeclared([files, seen[0] ?? files]);
  expect(resources).toMatchObject([{ body: { spec: { host: "from-the-folder" } } }]);
  expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
    "KMK0005 DestinationRule/shop/users is declared twice, in store:DestinationRule/shop/users:5 too: this one is used",
    "KMK0005 DestinationRule/shop/users is declared twice, in dir/a.json:1 too: dir/a.json:1 is used, this one is not",
  ]);
  source.close();
});
