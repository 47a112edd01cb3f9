import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqliteStore, type Store } from "../store/index.ts";
import { lastGoodInStore } from "./last-good.ts";
import { LIMITS } from "./limits.ts";

const FILE = { path: "/m/a.yaml", namespace: "shop" };

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-last-good-"));
  store = openSqliteStore({ file: join(folder, "store.db") });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

describe("the text of a file when nothing in it was wrong", () => {
  test.each([
    { what: "a short one", text: "kind: Service\n" },
    { what: "an empty one", text: "" },
    { what: "one that JSON makes twice as long", text: '"'.repeat(LIMITS.fileBytes) },
    { what: "one of characters that JSON escapes", text: "\u007f\u0001".repeat(LIMITS.fileBytes / 2) },
    { what: "one of characters in two halves", text: `a${"😀".repeat(LIMITS.fileBytes / 4 - 1)}` },
  ])("is kept, of the largest file that is read, too: $what", async ({ text }) => {
    const lastGood = lastGoodInStore(store);
    await lastGood.write(FILE, text);
    expect((await lastGood.read(FILE)) === text).toBe(true);
    expect(await lastGood.files()).toEqual([FILE]);
  });

  test("is replaced as a whole by a shorter one, and by a longer one again", async () => {
    const lastGood = lastGoodInStore(store);
    for (const text of ["\t".repeat(4_000_000), "short", "\n".repeat(3_000_000)]) {
      await lastGood.write(FILE, text);
      expect((await lastGood.read(FILE)) === text).toBe(true);
    }
  });

  test("the same once more writes nothing", async () => {
    const lastGood = lastGoodInStore(store);
    const text = "\t".repeat(4_000_000);
    await lastGood.write(FILE, text);
    const { revision } = await store.list({});
    await lastGood.write(FILE, text);
    expect((await store.list({})).revision).toBe(revision);
  });

  test("is one for each file of values that a chart is rendered with", async () => {
    const lastGood = lastGoodInStore(store);
    const charts = [
      { path: "/c/Chart.yaml" },
      { path: "/c/Chart.yaml", values: "/a" },
      { path: "/c/Chart.yaml", namespace: "n", values: "/b" },
    ];
    for (const [i, chart] of charts.entries()) await lastGood.write(chart, `${i}`.repeat(600_000));
    expect(await lastGood.files()).toEqual(expect.arrayContaining(charts));
    for (const [i, chart] of charts.entries()) expect((await lastGood.read(chart)) === `${i}`.repeat(600_000)).toBe(true);
  });

  test("is forgotten without a rest", async () => {
    const lastGood = lastGoodInStore(store);
    await lastGood.write(FILE, "\t".repeat(4_000_000));
    await lastGood.forget(FILE);
    expect(await lastGood.read(FILE)).toBeUndefined();
    expect((await store.list({})).entries).toEqual([]);
  });
});
