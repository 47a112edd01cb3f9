import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AddressPool } from "./addresses.ts";

/** Names of which some hash near to each other: a real pool of 65,000 places is never crowded by a test's handful. */
const names = Array.from({ length: 4000 }, (_, i) => `service-${i}.shop.svc.cluster.local`);
const addressesIn = (pool: AddressPool, of: readonly string[]) => of.map((name) => pool.find(name)?.address);

describe("addresses that the mesh chooses", () => {
  test("are the same for the same names, whoever came and went", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(names, { minLength: 3000 }), fc.shuffledSubarray(names, { maxLength: 1000 }), (come, gone) => {
        const left = come.filter((name) => !gone.includes(name));
        const { pool } = AddressPool.empty("kubernetes").with(come, []);
        const { pool: after } = pool.with([], gone);
        const { pool: fresh } = AddressPool.empty("kubernetes").with(left.toSorted(), []);
        expect(addressesIn(after, names)).toEqual(addressesIn(fresh, names));
        expect(new Set(addressesIn(after, left)).size).toBe(left.length);
      }),
      { numRuns: 10 },
    );
  });

  test("whose address is another one is said, and nobody else's is", () => {
    const { pool } = AddressPool.empty("service-entry").with(names.slice(1000), []);
    const { pool: after, moved } = pool.with(names.slice(0, 500), names.slice(2000, 2500));
    const differ = names.filter((name) => pool.find(name)?.address !== after.find(name)?.address);
    expect(differ.filter((name) => !moved.has(name))).toEqual([]);
    // A name that is moved and moved back may be said, too; that is rare.
    expect(moved.size - differ.length).toBeLessThan(100);
  });
});

test("law: a name more visits the places of its run, however many names there are", () => {
  const { pool } = AddressPool.empty("kubernetes").with(names, []);
  const { moved } = pool.with(["one-more.shop.svc.cluster.local"], []);
  expect(moved.size).toBeLessThan(10);
});

test("more names than addresses: the last of the alphabet get none, until there is room", () => {
  const many = Array.from({ length: 50_010 }, (_, i) => String(i).padStart(5, "0"));
  const { pool } = AddressPool.empty("kubernetes").with(many, []);
  expect([pool.find("50000"), pool.find("50009")]).toEqual([undefined, undefined]);
  expect(pool.find("49999")?.address).toMatch(/^10\.96\./);
  const { pool: after, moved } = pool.with([], ["00000"]);
  expect(after.find("50000")).toBeDefined();
  expect([after.find("50001"), moved.has("50000"), moved.has("50001")]).toEqual([undefined, true, false]);
});

test("more names than addresses: who is moved, or loses its address to a name before it, is said; the others keep what they have", () => {
  const many = Array.from({ length: 50_000 }, (_, i) => `m${String(i).padStart(5, "0")}`);
  const { pool } = AddressPool.empty("kubernetes").with(many, []);
  const gone = many.filter((_, i) => i % 1000 === 0);
  const { pool: after, moved } = pool.with(["a", ...gone.map((name) => `b${name}`)], gone.slice(1));
  const differ = many.filter((name) => pool.find(name)?.address !== after.find(name)?.address);
  expect(after.find("m49999")).toBeUndefined();
  expect(differ.filter((name) => !moved.has(name))).toEqual([]);
  expect(many.filter((name) => !moved.has(name) && pool.find(name) !== after.find(name))).toEqual([]);
});
