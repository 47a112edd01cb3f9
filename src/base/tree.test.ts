import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  emptyTree,
  entriesOf,
  isEmpty,
  lookUp,
  type Tree,
  treeCounts,
  treeOf,
  withEntries,
  withEntry,
  withOrWithout,
  withoutEntry,
} from "./tree.ts";

const keys = fc.string({ unit: fc.constantFrom(..."abcdef"), minLength: 1, maxLength: 3 });
const edits = fc.array(fc.tuple(keys, fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined })), { maxLength: 200 });
type Edit = readonly [string, number | undefined];

function apply(tree: Tree<number>, list: readonly Edit[]): Tree<number> {
  return list.reduce((before, [key, value]) => withOrWithout(before, key, value), tree);
}

function modelOf(list: readonly Edit[]): ReadonlyMap<string, number> {
  const model = new Map<string, number>();
  for (const [key, value] of list) {
    if (value === undefined) model.delete(key);
    else model.set(key, value);
  }
  return model;
}

/** The depth; throws where a node is out of balance or miscounts. */
function depthOf(tree: Tree<unknown>): number {
  if (isEmpty(tree)) return 0;
  const { left, right, size } = tree;
  expect(size).toBe(left.size + right.size + 1);
  if (left.size + right.size > 1) {
    expect(3 * (left.size + 1)).toBeGreaterThanOrEqual(right.size + 1);
    expect(3 * (right.size + 1)).toBeGreaterThanOrEqual(left.size + 1);
  }
  return 1 + Math.max(depthOf(left), depthOf(right));
}

describe("a tree", () => {
  test("holds what was put in last, in the order of keys, and stays balanced", () => {
    fc.assert(
      fc.property(edits, (list) => {
        const tree = apply(emptyTree(), list);
        const model = modelOf(list);
        expect([...entriesOf(tree)]).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
        for (const [key] of list) expect(lookUp(tree, key)).toBe(model.get(key));
        depthOf(tree);
      }),
    );
  });

  test("is the same object where nothing changes", () => {
    fc.assert(
      fc.property(edits, keys, (list, key) => {
        const tree = apply(emptyTree(), list);
        const value = lookUp(tree, key);
        expect(withOrWithout(tree, key, value)).toBe(tree);
      }),
    );
  });

  test("is made of many entries at once as of one after the other", () => {
    fc.assert(
      fc.property(edits, (list) => {
        const model = modelOf(list);
        const tree = treeOf(model);
        depthOf(tree);
        expect([...entriesOf(tree)]).toEqual([...entriesOf(apply(emptyTree(), list))]);
      }),
    );
  });

  test("is edited in many places at once as in one after the other", () => {
    fc.assert(
      fc.property(edits, edits, (first, others) => {
        const tree = apply(emptyTree(), first);
        const edited = withEntries(tree, new Map(others));
        depthOf(edited);
        expect([...entriesOf(edited)]).toEqual([...entriesOf(apply(tree, others))]);
        expect(withEntries(edited, new Map(others))).toBe(edited);
      }),
    );
  });
});

const name = (i: number) => String(i).padStart(6, "0");
const large = (size: number) => treeOf(Array.from({ length: size }, (_, i) => [name(i), i] as const));

describe("law: the work for a change grows with its depth, not with the tree", () => {
  test.each([500, 2000, 8000])("of %i entries, one edit visits few nodes", (size) => {
    const tree = large(size);
    const start = treeCounts.visits;
    expect(withEntry(withoutEntry(tree, name(7)), name(size >> 1), -1).size).toBe(size - 1);
    expect(treeCounts.visits - start).toBeLessThan(4 * Math.log2(size));
  });
});
