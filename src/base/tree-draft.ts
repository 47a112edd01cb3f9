import { emptyTree, isEmpty, lookUp, type Tree, withEntries } from "./tree.ts";

/** A tree that is being edited: one tree is made of what was set last. */
export class TreeDraft<Value> {
  readonly #tree: Tree<Value>;
  readonly #edits = new Map<string, Value | undefined>();

  constructor(tree: Tree<Value>) {
    this.#tree = tree;
  }

  /** `value` undefined takes the entry away. */
  set(key: string, value: Value | undefined): void {
    this.#edits.set(key, value);
  }

  /** The edited tree; the very same tree where nothing came of it. */
  done(): Tree<Value> {
    return withEntries(this.#tree, this.#edits);
  }
}

/** Several values for a key, each under a name of its own; a key without any is no key. */
export type Groups<Value> = Tree<Tree<Value>>;

export function groupOf<Value>(groups: Groups<Value>, key: string): Tree<Value> {
  return lookUp(groups, key) ?? emptyTree();
}

/** Groups that are being edited. */
export class GroupsDraft<Value> {
  readonly #groups: Groups<Value>;
  readonly #edited = new Map<string, TreeDraft<Value>>();

  constructor(groups: Groups<Value>) {
    this.#groups = groups;
  }

  /** `value` undefined takes the member away. */
  set(key: string, name: string, value: Value | undefined): void {
    let draft = this.#edited.get(key);
    if (draft === undefined) this.#edited.set(key, (draft = new TreeDraft(groupOf(this.#groups, key))));
    draft.set(name, value);
  }

  /** The edited groups; the very same ones where nothing came of it. */
  done(): Groups<Value> {
    const groups = new TreeDraft(this.#groups);
    for (const [key, draft] of this.#edited) {
      const group = draft.done();
      groups.set(key, isEmpty(group) ? undefined : group);
    }
    return groups.done();
  }
}
