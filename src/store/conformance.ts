/* oxlint-disable max-lines-per-function, vitest/valid-title -- one suite, run against every store under its name */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Change, Store, StoreKey } from "./store.ts";

/** What every store must do, whatever holds its data. `open` with the same place twice opens the same data again. */
export interface StoreUnderTest {
  readonly open: (options: { readonly rememberedRevisions: number }) => Promise<Store>;
  readonly remove: () => Promise<void>;
}

const key = (name: string, over: Partial<StoreKey> = {}): StoreKey => ({ kind: "Pod", namespace: "shop", name, ...over });

export function describeStore(title: string, prepare: () => Promise<StoreUnderTest>): void {
  describe(title, () => {
    let under: StoreUnderTest;
    let store: Store;

    beforeEach(async () => {
      under = await prepare();
      store = await under.open({ rememberedRevisions: 1000 });
    });

    afterEach(async () => {
      await store.close();
      await under.remove();
    });

    const reopen = async (rememberedRevisions = 1000) => {
      await store.close();
      store = await under.open({ rememberedRevisions });
    };
    const collect = (afterRevision: number, filter = {}) => {
      const changes: Change[] = [];
      let isExpired = false;
      const watch = store.watch({ afterRevision, filter, onChanges: (more) => changes.push(...more), onExpired: () => (isExpired = true) });
      return { changes, watch, isExpired: () => isExpired };
    };

    describe("entries", () => {
      test("what was put is there, with the revision of its write", async () => {
        expect(await store.put(key("a"), { n: 1, text: "é😀" })).toEqual({ kind: "written", revision: 1 });
        expect(await store.get(key("a"))).toEqual({ key: key("a"), value: { n: 1, text: "é😀" }, revision: 1 });
        expect(await store.get(key("b"))).toBeUndefined();
      });

      test("are listed by kind, namespace and name, and filtered", async () => {
        for (const each of [key("b"), key("a"), key("c", { namespace: "" }), key("d", { kind: "Gateway" })]) await store.put(each, 1);
        const names = async (filter: object) => (await store.list(filter)).entries.map(({ key: { name } }) => name);
        expect(await names({})).toEqual(["d", "c", "a", "b"]);
        expect(await names({ kind: "Pod", namespace: "shop" })).toEqual(["a", "b"]);
        expect(await names({ namespace: "" })).toEqual(["c"]);
        expect((await store.list()).revision).toBe(4);
      });

      test("outlive the store's being closed and opened, and so does the revision", async () => {
        await store.put(key("a"), 1);
        await store.delete(key("a"));
        await store.put(key("b"), 2);
        await reopen();
        expect(await store.list()).toEqual({ revision: 3, entries: [{ key: key("b"), value: 2, revision: 3 }] });
      });

      test("a name may hold any sign", async () => {
        const odd = key("a'; DROP TABLE entry; --\u0000%_");
        await store.put(odd, 1);
        expect(await store.get(odd)).toMatchObject({ value: 1 });
        const half = key("half \ud800 of a pair");
        await store.put(half, "\ud800");
        await reopen();
        expect(await store.get(half)).toMatchObject({ value: "\ud800" });
      });
    });

    describe("expectations", () => {
      test.each([
        ["a put of a new entry where there is one", { expectedRevision: 0 }],
        ["a put over another revision", { expectedRevision: 7 }],
      ])("%s is a conflict that names what is there", async (_, expectation) => {
        await store.put(key("a"), "first");
        expect(await store.put(key("a"), "second", expectation)).toEqual({
          kind: "conflict",
          key: key("a"),
          current: { key: key("a"), value: "first", revision: 1 },
        });
        expect(await store.get(key("a"))).toMatchObject({ value: "first" });
      });

      test("the expected revision is replaced and deleted", async () => {
        await store.put(key("a"), 1, { expectedRevision: 0 });
        expect(await store.put(key("a"), 2, { expectedRevision: 1 })).toEqual({ kind: "written", revision: 2 });
        expect(await store.delete(key("a"), { expectedRevision: 1 })).toMatchObject({ kind: "conflict" });
        expect(await store.delete(key("a"), { expectedRevision: 2 })).toEqual({ kind: "written", revision: 3 });
      });

      test("deleting what isn't there changes nothing", async () => {
        expect(await store.delete(key("a"))).toEqual({ kind: "written", revision: 0 });
        expect(await store.delete(key("a"), { expectedRevision: 4 })).toEqual({ kind: "conflict", key: key("a") });
      });

      test("of many writers that expect the same revision one wins", async () => {
        await store.put(key("a"), 0);
        const written = await Promise.all(Array.from({ length: 20 }, (_, i) => store.put(key("a"), i, { expectedRevision: 1 })));
        expect(written.filter(({ kind }) => kind === "written")).toHaveLength(1);
      });
    });

    describe("transactions", () => {
      test("have one revision for all their writes", async () => {
        await store.put(key("old"), 1);
        const written = await store.transaction([
          { kind: "put", key: key("a"), value: 1 },
          { kind: "delete", key: key("old"), expectedRevision: 1 },
        ]);
        expect(written).toEqual({ kind: "written", revision: 2 });
        expect((await store.list()).entries.map(({ key: { name } }) => name)).toEqual(["a"]);
      });

      test("with one conflict write nothing", async () => {
        const written = await store.transaction([
          { kind: "put", key: key("a"), value: 1 },
          { kind: "put", key: key("b"), value: 1, expectedRevision: 5 },
        ]);
        expect(written).toEqual({ kind: "conflict", key: key("b") });
        expect(await store.list()).toEqual({ revision: 0, entries: [] });
      });

      test("without writes change nothing", async () => {
        expect(await store.transaction([])).toEqual({ kind: "written", revision: 0 });
      });
    });

    describe("watching", () => {
      test("gives what has happened since a revision, then what happens, in order and once", async () => {
        await store.put(key("a"), 1);
        await store.put(key("b"), 2);
        const { changes } = collect(1);
        await store.delete(key("a"));
        await vi.waitFor(() => expect(changes).toHaveLength(2));
        expect(changes).toMatchObject([
          { key: key("b"), revision: 2, entry: { value: 2 } },
          { key: key("a"), revision: 3 },
        ]);
        expect(changes[1]?.entry).toBeUndefined();
        await store.put(key("c"), 3);
        await vi.waitFor(() => expect(changes.map(({ revision }) => revision)).toEqual([2, 3, 4]));
      });

      test("gives only what the filter asks for", async () => {
        const { changes } = collect(0, { kind: "Gateway" });
        await store.put(key("a"), 1);
        await store.put(key("g", { kind: "Gateway" }), 1);
        await vi.waitFor(() => expect(changes.map(({ key: { name } }) => name)).toEqual(["g"]));
      });

      test("ends when it is closed", async () => {
        const closed = collect(0);
        const open = collect(0);
        closed.watch.close();
        await store.put(key("a"), 1);
        await vi.waitFor(() => expect(open.changes).toHaveLength(1));
        expect(closed.changes).toEqual([]);
      });

      test("from a revision whose changes are forgotten is over, and says so", async () => {
        await reopen(5);
        for (let i = 0; i < 20; i++) await store.put(key("a"), i);
        const { isExpired, changes } = collect(1);
        await vi.waitFor(() => expect(isExpired()).toBe(true));
        expect(changes).toEqual([]);
        expect(await store.get(key("a"))).toMatchObject({ value: 19 });
      });
    });

    test("the history of an entry is newest first, deletions included", async () => {
      await store.put(key("a"), 1);
      await store.put(key("b"), 1);
      await store.delete(key("a"));
      await store.put(key("a"), 2);
      const history = await store.history(key("a"), 10);
      expect(history.map(({ revision, entry }) => [revision, entry?.value])).toEqual([
        [4, 2],
        [3, undefined],
        [1, 1],
      ]);
      expect(await store.history(key("a"), 1)).toHaveLength(1);
    });
  });
}
