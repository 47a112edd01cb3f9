/**
 * Values by text, in the order of the text, and never changed: a changed entry makes a new tree that shares all but some ten nodes with the old
 * one. Balanced by weight (Adams, "Efficient sets: a balancing act", 1993, with Hirai and Yamamoto's parameters), so that no choice of names
 * makes it deep. A node is an object, so that what is made of it can be remembered by it (`part`).
 */
export type Tree<Value> = Node<Value> | Empty;

export interface Node<Value> {
  readonly size: number;
  readonly key: string;
  readonly value: Value;
  readonly left: Tree<Value>;
  readonly right: Tree<Value>;
}

interface Empty {
  readonly size: 0;
}

const EMPTY: Empty = Object.freeze({ size: 0 });

/** A subtree holds at most this many times as much as its neighbour. */
const DELTA = 3;
/** A single rotation is enough below this ratio. */
const RATIO = 2;

export function emptyTree<Value>(): Tree<Value> {
  return EMPTY;
}

/** What `visits` nodes were looked at since the process began. For tests that count work instead of timing it. */
export const treeCounts = { visits: 0 };

export function isEmpty<Value>(tree: Tree<Value>): tree is Empty {
  return tree.size === 0;
}

export function lookUp<Value>(tree: Tree<Value>, key: string): Value | undefined {
  let node = tree;
  while (!isEmpty(node)) {
    treeCounts.visits++;
    if (key === node.key) return node.value;
    node = key < node.key ? node.left : node.right;
  }
  return undefined;
}

/** The tree in which `key` has `value`; the very same tree where it had it. */
export function withEntry<Value>(tree: Tree<Value>, key: string, value: Value): Tree<Value> {
  if (isEmpty(tree)) return newNode(EMPTY, key, value, EMPTY);
  treeCounts.visits++;
  const { left, right } = tree;
  if (key === tree.key) return value === tree.value ? tree : newNode(left, key, value, right);
  if (key < tree.key) {
    const changed = withEntry(left, key, value);
    return changed === left ? tree : balance(changed, tree, right);
  }
  const changed = withEntry(right, key, value);
  return changed === right ? tree : balance(left, tree, changed);
}

/** The tree without `key`; the very same tree where it had none. */
export function withoutEntry<Value>(tree: Tree<Value>, key: string): Tree<Value> {
  if (isEmpty(tree)) return tree;
  treeCounts.visits++;
  const { left, right } = tree;
  if (key === tree.key) return glue(left, right);
  if (key < tree.key) {
    const changed = withoutEntry(left, key);
    return changed === left ? tree : balance(changed, tree, right);
  }
  const changed = withoutEntry(right, key);
  return changed === right ? tree : balance(left, tree, changed);
}

/** The tree after many edits at once, which costs less than one after the other: `undefined` takes an entry away. */
export function withEntries<Value>(tree: Tree<Value>, edits: ReadonlyMap<string, Value | undefined>): Tree<Value> {
  if (edits.size <= FEW) {
    let edited = tree;
    for (const [key, value] of edits) edited = withOrWithout(edited, key, value);
    return edited;
  }
  const sorted = [...edits].sort(([a], [b]) => (a < b ? -1 : 1));
  return merged(tree, sorted, 0, sorted.length);
}

const FEW = 4;

function merged<Value>(tree: Tree<Value>, edits: readonly (readonly [string, Value | undefined])[], from: number, to: number): Tree<Value> {
  if (from >= to) return tree;
  if (isEmpty(tree)) {
    const present = edits.slice(from, to).filter((edit): edit is [string, Value] => edit[1] !== undefined);
    return ofSorted(present, 0, present.length);
  }
  treeCounts.visits++;
  const at = firstFrom(edits, tree.key, from, to);
  const own = at < to ? edits[at] : undefined;
  const isEdited = own?.[0] === tree.key;
  const left = merged(tree.left, edits, from, at);
  const right = merged(tree.right, edits, isEdited ? at + 1 : at, to);
  const value = isEdited ? own?.[1] : tree.value;
  if (value === undefined) return join(left, right);
  return left === tree.left && right === tree.right && value === tree.value ? tree : link(left, { key: tree.key, value }, right);
}

/** The place of the first edit that is not below a key. */
function firstFrom(edits: readonly (readonly [string, unknown])[], key: string, from: number, to: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edits[middle]?.[0] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** `value` undefined takes the entry away. */
export function withOrWithout<Value>(tree: Tree<Value>, key: string, value: Value | undefined): Tree<Value> {
  return value === undefined ? withoutEntry(tree, key) : withEntry(tree, key, value);
}

/** A tree of entries in any order; of two with one key the last one stays. */
export function treeOf<Value>(entries: Iterable<readonly [key: string, value: Value]>): Tree<Value> {
  const sorted = [...new Map(entries)].sort(([a], [b]) => (a < b ? -1 : 1));
  return ofSorted(sorted, 0, sorted.length);
}

function ofSorted<Value>(entries: readonly (readonly [string, Value])[], from: number, to: number): Tree<Value> {
  if (from >= to) return EMPTY;
  const middle = (from + to) >>> 1;
  const [key, value] = entries[middle] as readonly [string, Value];
  return newNode(ofSorted(entries, from, middle), key, value, ofSorted(entries, middle + 1, to));
}

export function* entriesOf<Value>(tree: Tree<Value>): Generator<readonly [key: string, value: Value]> {
  const path: Node<Value>[] = [];
  for (let node = tree; ; ) {
    while (!isEmpty(node)) {
      path.push(node);
      node = node.left;
    }
    const next = path.pop();
    if (next === undefined) return;
    treeCounts.visits++;
    yield [next.key, next.value];
    node = next.right;
  }
}

export function* valuesOf<Value>(tree: Tree<Value>): Generator<Value> {
  for (const [, value] of entriesOf(tree)) yield value;
}

type Entry<Value> = Pick<Node<Value>, "key" | "value">;

/** Joins two trees of any sizes by an entry between them. */
function link<Value>(left: Tree<Value>, entry: Entry<Value>, right: Tree<Value>): Tree<Value> {
  if (isEmpty(left) || isEmpty(right)) return withEntry(isEmpty(left) ? right : left, entry.key, entry.value);
  if (isLighter(left, right)) return balance(link(left, entry, right.left), right, right.right);
  if (isLighter(right, left)) return balance(left.left, left, link(left.right, entry, right));
  return newNode(left, entry.key, entry.value, right);
}

/** Joins two trees of any sizes. */
function join<Value>(left: Tree<Value>, right: Tree<Value>): Tree<Value> {
  if (isEmpty(left)) return right;
  if (isEmpty(right)) return left;
  const first = firstOf(right);
  return link(left, first, withoutEntry(right, first.key));
}

/** Joins two trees that were neighbours. */
function glue<Value>(left: Tree<Value>, right: Tree<Value>): Tree<Value> {
  if (isEmpty(left)) return right;
  if (isEmpty(right)) return left;
  if (left.size > right.size) {
    const last = lastOf(left);
    return balance(withoutEntry(left, last.key), last, right);
  }
  const first = firstOf(right);
  return balance(left, first, withoutEntry(right, first.key));
}

function firstOf<Value>(node: Node<Value>): Node<Value> {
  let first = node;
  while (!isEmpty(first.left)) first = first.left;
  return first;
}

function lastOf<Value>(node: Node<Value>): Node<Value> {
  let last = node;
  while (!isEmpty(last.right)) last = last.right;
  return last;
}

function isLighter<Value>(one: Tree<Value>, other: Tree<Value>): boolean {
  return DELTA * (one.size + 1) < other.size + 1;
}

/** A node of two subtrees of which one may have become too heavy by one entry. */
function balance<Value>(left: Tree<Value>, entry: Entry<Value>, right: Tree<Value>): Tree<Value> {
  if (isLighter(left, right) && !isEmpty(right)) return rotateLeft(left, entry, right);
  if (isLighter(right, left) && !isEmpty(left)) return rotateRight(left, entry, right);
  return newNode(left, entry.key, entry.value, right);
}

function rotateLeft<Value>(left: Tree<Value>, entry: Entry<Value>, right: Node<Value>): Tree<Value> {
  const inner = right.left;
  if (isEmpty(inner) || inner.size + 1 < RATIO * (right.right.size + 1))
    return newNode(newNode(left, entry.key, entry.value, inner), right.key, right.value, right.right);
  return newNode(
    newNode(left, entry.key, entry.value, inner.left),
    inner.key,
    inner.value,
    newNode(inner.right, right.key, right.value, right.right),
  );
}

function rotateRight<Value>(left: Node<Value>, entry: Entry<Value>, right: Tree<Value>): Tree<Value> {
  const inner = left.right;
  if (isEmpty(inner) || inner.size + 1 < RATIO * (left.left.size + 1))
    return newNode(left.left, left.key, left.value, newNode(inner, entry.key, entry.value, right));
  return newNode(
    newNode(left.left, left.key, left.value, inner.left),
    inner.key,
    inner.value,
    newNode(inner.right, entry.key, entry.value, right),
  );
}

function newNode<Value>(left: Tree<Value>, key: string, value: Value, right: Tree<Value>): Node<Value> {
  return { size: left.size + right.size + 1, key, value, left, right };
}
