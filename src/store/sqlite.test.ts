import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeStore } from "./conformance.ts";
import { openSqliteStore } from "./sqlite.ts";

describeStore("the store in SQLite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "kumiko-store-"));
  return {
    open: async ({ rememberedRevisions }) => openSqliteStore({ file: join(folder, "store.db"), rememberedRevisions }),
    remove: () => rm(folder, { recursive: true }),
  };
});

describe("a store's file", () => {
  let folder = "";
  let file = "";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "kumiko-store-"));
    file = join(folder, "state/store.db");
  });

  afterEach(() => rm(folder, { recursive: true }));

  test("and all beside it are for its owner only", async () => {
    const store = openSqliteStore({ file });
    await store.put({ kind: "Secret", namespace: "a", name: "b" }, { key: "k" });
    const modes = await Promise.all(["", "-journal"].map(async (end) => ((await stat(`${file}${end}`)).mode & 0o777).toString(8)));
    expect(modes).toEqual(["600", "600"]);
    expect((await stat(join(folder, "state"))).mode & 0o777).toBe(0o700);
    await store.close();
  });

  test("that is damaged is refused with what to type", async () => {
    const store = openSqliteStore({ file });
    for (let i = 0; i < 200; i++) await store.put({ kind: "Pod", namespace: "", name: `p${i}` }, "x".repeat(1000));
    await store.close();
    const handle = await open(file, "r+");
    await handle.write(Buffer.alloc(20_000, 0x55), 0, 20_000, 8192);
    await handle.close();
    expect(() => openSqliteStore({ file })).toThrow(
      expect.objectContaining({ code: "io", message: expect.stringContaining("is damaged"), help: expect.stringContaining(`mv ${file}`) }),
    );
  });

  test("that is no database is refused and left as it is", async () => {
    const store = openSqliteStore({ file });
    await store.close();
    await writeFile(file, "hello, this is no database at all, and long enough to be looked at".repeat(10));
    expect(() => openSqliteStore({ file })).toThrow("is damaged");
    expect((await stat(file)).size).toBeGreaterThan(600);
  });
});
