import { expect, test } from "vitest";
import { emptyTree, entriesOf } from "./tree.ts";
import { type Groups, groupOf, GroupsDraft, TreeDraft } from "./tree-draft.ts";

test("a draft makes a tree of what was set last, and leaves the tree that it came from", () => {
  const first = new TreeDraft<number>(emptyTree());
  first.set("a", 1);
  first.set("b", 2);
  const tree = first.done();
  const draft = new TreeDraft(tree);
  draft.set("a", undefined);
  draft.set("c", 3);
  expect([...entriesOf(draft.done())]).toEqual([
    ["b", 2],
    ["c", 3],
  ]);
  expect([...entriesOf(tree)]).toEqual([
    ["a", 1],
    ["b", 2],
  ]);
});

test("groups come and go with their members, and stay the same objects where nothing changes", () => {
  const first = new GroupsDraft<number>(emptyTree());
  first.set("one", "a", 1);
  first.set("other", "b", 2);
  const groups: Groups<number> = first.done();
  const draft = new GroupsDraft(groups);
  draft.set("one", "a", undefined);
  const edited = draft.done();
  expect([...entriesOf(edited)].map(([key]) => key)).toEqual(["other"]);
  expect(groupOf(edited, "other")).toBe(groupOf(groups, "other"));
  const idle = new GroupsDraft(groups);
  idle.set("one", "a", 1);
  expect(idle.done()).toBe(groups);
});
