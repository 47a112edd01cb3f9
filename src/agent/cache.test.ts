import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { Offered } from "../xds/protocol/offer.ts";
import { Cache, offerCopy } from "./cache.ts";

const folder = mkdtempSync(join(tmpdir(), "kumiko-cache-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let file = "";
let count = 0;
beforeEach(() => {
  file = join(folder, `state-${++count}`, "copy");
});

const resource = (name: string, text = name): Offered => ({ name, version: `v-${text}`, bytes: Buffer.from(text), references: [] });

function saved(): Cache {
  const { cache } = Cache.open(file);
  cache.apply("cluster", [resource("a"), resource("b", "x".repeat(70_000))], []);
  cache.apply("route", [resource("web")], []);
  cache.apply("secret", [resource("kubernetes://shop/cert", "PRIVATE KEY")], []);
  cache.save(1_700_000_000_000);
  return cache;
}

describe("the copy on disk", () => {
  test("comes back as it was", () => {
    saved();
    const { cache, problem } = Cache.open(file);
    expect(problem).toBeUndefined();
    expect([...cache.get("cluster").values()].map(({ name, version, bytes }) => [name, version, bytes.length])).toEqual([
      ["a", "v-a", 1],
      ["b", `v-${"x".repeat(70_000)}`, 70_000],
    ]);
    expect(cache.savedAtMs).toBe(1_700_000_000_000);
    expect(cache.isEmpty).toBe(false);
  });

  test("holds no secret, is the owner's alone, and leaves no other file", () => {
    const cache = saved();
    expect(cache.get("secret").size).toBe(1);
    expect(readFileSync(file).includes("PRIVATE KEY")).toBe(false);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(file, ".."))).toEqual(["copy"]);
  });

  test("none is no problem", () => {
    expect(Cache.open(file)).toMatchObject({ cache: { isEmpty: true } });
    expect(Cache.open(file).problem).toBeUndefined();
  });

  test("is written again only after a change", () => {
    const cache = saved();
    const before = statSync(file).ino;
    cache.save(1);
    expect(statSync(file).ino).toBe(before);
    cache.apply("cluster", [], ["a"]);
    cache.save(2);
    expect(Cache.open(file).cache.get("cluster").size).toBe(1);
  });

  test("every truncation and every flipped bit is found", () => {
    const { cache: small } = Cache.open(file);
    small.apply("cluster", [resource("a"), resource("b")], []);
    small.save(1_700_000_000_000);
    const whole = readFileSync(file);
    for (let i = 0; i < 200; i++) {
      const damaged = Buffer.from(whole);
      const at = Math.floor((i / 200) * whole.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (i % 8));
      for (const bytes of [damaged, whole.subarray(0, at)]) {
        writeFileSync(file, bytes);
        const { cache, problem } = Cache.open(file);
        expect(problem).toContain("can't be used");
        expect(cache.isEmpty).toBe(true);
      }
    }
  });
});

test("what the proxy holds stays as it is, even where the copy is older", () => {
  const { cache } = Cache.open(undefined);
  cache.apply("cluster", [resource("a"), resource("b")], []);
  const offer = offerCopy(cache, (_, name) => (name === "a" ? "newer" : undefined)).get("cluster");
  expect([...(offer?.values() ?? [])].map(({ version }) => version)).toEqual(["newer", "v-b"]);
});
