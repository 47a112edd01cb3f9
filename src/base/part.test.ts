import { describe, expect, test } from "vitest";
import { itemsOf, part, partCounts, tupleOf } from "./part.ts";

describe("a part", () => {
  test("is made once for the same objects, and again for another one at any place", () => {
    let made = 0;
    const sum = part((a: { n: number }, b: { n: number }, c: { n: number }) => ({ total: a.n + b.n + c.n, number: ++made }));
    const [one, two, three] = [{ n: 1 }, { n: 2 }, { n: 3 }];
    const first = sum(one, two, three);
    expect(first.total).toBe(6);
    expect(sum(one, two, three)).toBe(first);
    const others: readonly (readonly [{ n: number }, { n: number }, { n: number }])[] = [
      [{ n: 1 }, two, three],
      [one, { n: 2 }, three],
      [one, two, { n: 3 }],
      [two, one, three],
    ];
    for (const [a, b, c] of others) {
      expect(sum(a, b, c)).not.toBe(first);
      expect(sum(a, b, c)).toBe(sum(a, b, c));
    }
    expect(made).toBe(5);
  });

  test("remembers that its result is nothing", () => {
    let made = 0;
    const nothing = part((_key: object): undefined => void made++);
    const key = {};
    expect([nothing(key), nothing(key), made]).toEqual([undefined, undefined, 1]);
  });

  test("is told by its own arguments, whatever else it is called with", () => {
    const twice = part((value: { n: number }) => ({ n: value.n * 2 }));
    const values = [{ n: 1 }, { n: 2 }];
    expect(values.map(twice)).toEqual([{ n: 2 }, { n: 4 }]);
    expect(values.map(twice)[1]).toBe(twice(values[1] as { n: number }));
  });

  test("an error is not remembered", () => {
    let isBroken = true;
    const fragile = part((_key: object) => {
      if (isBroken) throw new Error("not yet");
      return "made";
    });
    const key = {};
    expect(() => fragile(key)).toThrow("not yet");
    isBroken = false;
    expect(fragile(key)).toBe("made");
  });

  test("counts what it does", () => {
    const twice = part((value: { n: number }) => value.n * 2);
    const key = { n: 4 };
    const before = { ...partCounts };
    twice(key);
    twice(key);
    expect({ lookups: partCounts.lookups - before.lookups, makes: partCounts.makes - before.makes }).toEqual({ lookups: 2, makes: 1 });
  });
});

test("a tuple is told by what is in it, and in which order", () => {
  const [a, b] = [{}, {}];
  expect(tupleOf([a, b])).toBe(tupleOf([a, b]));
  for (const other of [[b, a], [a], [a, b, b], []]) expect(tupleOf(other)).not.toBe(tupleOf([a, b]));
  expect(tupleOf([])).toBe(tupleOf([]));
  expect(itemsOf(tupleOf([a, b, b]))).toEqual([a, b, b]);
});
