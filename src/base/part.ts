/**
 * A *part*: a pure function of frozen objects, remembered by the identity of its arguments. It is the core's cache
 * ([decision 15](../../docs/decisions/0015-parts-and-persistent-indexes.md)). What the function can see *is* its key, so that no key can forget an input, and a result
 * goes when one of its arguments is held by nobody any more.
 *
 * `make` reads its arguments and constants of its module, nothing else; a number or a text comes inside an object that is made once for it
 * (`intern`), and what is absent is a constant.
 */
export function part<Args extends readonly object[], Result>(make: (...args: Args) => Result): (...args: Args) => Result {
  const root: Level = new WeakMap();
  // Not as many as it is called with: `list.map(part)` gives more.
  const last = make.length - 1;
  return (...args) => {
    partCounts.lookups++;
    let level = root;
    for (let i = 0; i < last; i++) {
      const arg = args[i] as object;
      let next = level.get(arg) as Level | undefined;
      if (next === undefined) level.set(arg, (next = new WeakMap()));
      level = next;
    }
    const key = args[last] as object;
    const known = level.get(key) as Known<Result> | undefined;
    if (known !== undefined) return known.result;
    partCounts.makes++;
    const result = make(...args);
    level.set(key, { result });
    return result;
  };
}

/** A list of objects as an argument of a part: the same object for the same objects in the same order. */
export interface Tuple {
  readonly before: Tuple | undefined;
  readonly item: object | undefined;
}

export function tupleOf(items: Iterable<object>): Tuple {
  let tuple: Tuple = NOTHING;
  for (const item of items) tuple = longer(tuple, item);
  return tuple;
}

/** What is in a tuple, in order. */
export function itemsOf(tuple: Tuple): readonly object[] {
  const items: object[] = [];
  for (let rest: Tuple | undefined = tuple; rest?.item !== undefined; rest = rest.before) items.push(rest.item);
  return items.reverse();
}

const NOTHING: Tuple = Object.freeze({ before: undefined, item: undefined });
const longer = part((before: Tuple, item: object): Tuple => Object.freeze({ before, item }));

interface Level extends WeakMap<object, object> {}

interface Known<Result> {
  readonly result: Result;
}

/** What parts have done since the process began. For tests that count work instead of timing it. */
export const partCounts = { lookups: 0, makes: 0 };
