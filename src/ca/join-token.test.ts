import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openSqliteStore, type Store } from "../store/index.ts";
import type { Grant } from "./authenticate.ts";
import { issueDevelopmentRoot, makeKey } from "./issue.ts";
import { createJoinTokens, type JoinTokens, MAX_JOIN_TOKEN_MS } from "./join-token.ts";

const identity = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "users" };
const rootsPem = await issueDevelopmentRoot(makeKey(), { notBeforeMs: 0, notAfterMs: 4_000_000_000_000 });
const [mine, another] = [Uint8Array.of(1), Uint8Array.of(2)];
const entry = { key: { kind: "WorkloadEntry", namespace: "shop", name: "legacy-1" }, value: { spec: { labels: { app: "legacy" } } } };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function setup() {
  const dir = mkdtempSync(join(tmpdir(), "kjointoken-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const clock = { nowMs: 1_000_000_000, uptimeMs: 0 };
  const now = () => clock.nowMs;
  const uptime = () => clock.uptimeMs;
  const open = (): { store: Store; tokens: JoinTokens } => {
    const store = openSqliteStore({ file: join(dir, "store.db"), now });
    cleanups.push(() => store.close());
    return { store, tokens: createJoinTokens({ store, rootsPem, now, uptime }) };
  };
  return { dir, clock, open, ...open() };
}

/** What an honest caller does: shows the token, then its key. */
async function use(tokens: JoinTokens, token: string, key: Uint8Array, from = "a"): Promise<Grant["identity"] | string> {
  const grant = await tokens.redeem(token, from);
  if (typeof grant === "string") return grant;
  return (await grant.claim?.(key)) === true ? grant.identity : "claimed by another";
}

describe("a join token", () => {
  test("gives its identity to one key, as often as that asks, and to no other", async () => {
    const { tokens } = setup();
    const { token } = await tokens.create({ identity });
    expect(await use(tokens, token, mine)).toEqual(identity);
    expect(await use(tokens, token, another)).toBe("claimed by another");
    expect(await use(tokens, token, mine)).toEqual(identity);
  });

  test("that was shown without a key is not spent", async () => {
    const { tokens } = setup();
    const { token } = await tokens.create({ identity });
    await tokens.redeem(token, "a");
    expect(await use(tokens, token, mine)).toEqual(identity);
  });

  test("gives it to one of many keys that come at once, to two control planes on one store", async () => {
    const { tokens, open } = setup();
    const { token } = await tokens.create({ identity, registers: entry });
    const both = [tokens, open().tokens];
    const keys = Array.from({ length: 20 }, (_, i) => Uint8Array.of(i));
    const results = await Promise.all(keys.map((key, i) => use(both[i % 2] ?? tokens, token, key)));
    expect(results.filter((result) => typeof result !== "string")).toHaveLength(1);
  });

  test("outlives the control plane that made it, used or not", async () => {
    const { tokens, store, open } = setup();
    const [used, unused] = [await tokens.create({ identity }), await tokens.create({ identity })];
    await use(tokens, used.token, mine);
    await store.close();
    const next = open().tokens;
    expect(await use(next, used.token, another)).toBe("claimed by another");
    expect(await use(next, used.token, mine)).toEqual(identity);
    expect(await use(next, unused.token, another)).toEqual(identity);
  });

  test("ends after ten minutes, whatever was wished, and is taken away when the next is made", async () => {
    const { tokens, clock, store } = setup();
    const { token, expiresAtMs } = await tokens.create({ identity, ttlMs: 1e12 });
    expect(expiresAtMs).toBe(1_000_000_000 + MAX_JOIN_TOKEN_MS);
    clock.uptimeMs = MAX_JOIN_TOKEN_MS - 1;
    expect(await use(tokens, token, mine)).toEqual(identity);
    clock.uptimeMs = MAX_JOIN_TOKEN_MS;
    expect(await use(tokens, token, mine)).toBe("wrong");
    await tokens.create({ identity });
    expect((await store.list({ kind: "JoinToken" })).entries).toHaveLength(1);
  });

  test.each([-3_600_000, -300_000, 300_000, 3_600_000])(
    "lives as long as it was made to, whether the wall clock steps by %i ms",
    async (stepMs) => {
      const { tokens, clock } = setup();
      const { token } = await tokens.create({ identity });
      clock.nowMs += stepMs;
      clock.uptimeMs = MAX_JOIN_TOKEN_MS - 1;
      expect(await use(tokens, token, mine)).toEqual(identity);
      clock.uptimeMs = MAX_JOIN_TOKEN_MS;
      expect(await use(tokens, token, mine)).toBe("wrong");
    },
  );

  test.each([
    { title: "five minutes back", stepMs: -300_000, expected: identity },
    { title: "back by more than a token may live", stepMs: -MAX_JOIN_TOKEN_MS, expected: "wrong" },
    { title: "five minutes on", stepMs: 300_000, expected: identity },
    { title: "on by as long as a token may live", stepMs: MAX_JOIN_TOKEN_MS, expected: "wrong" },
  ])("of an earlier process, when the clock goes $title", async ({ stepMs, expected }) => {
    const { tokens, clock, open } = setup();
    const { token } = await tokens.create({ identity });
    clock.nowMs += stepMs;
    expect(await use(open().tokens, token, mine)).toEqual(expected);
  });

  test("is kept as a hash only", async () => {
    const { tokens, store, dir } = setup();
    const { token } = await tokens.create({ identity });
    const secret = token.split(".")[2] ?? "";
    await store.close();
    expect(readFileSync(join(dir, "store.db")).includes("JoinToken")).toBe(true);
    expect(readFileSync(join(dir, "store.db")).includes(secret)).toBe(false);
  });

  test("registers its workload when it is used, and not before", async () => {
    const { tokens, store } = setup();
    const { token } = await tokens.create({ identity, registers: entry });
    await tokens.redeem(token, "a");
    expect(await store.get(entry.key)).toBeUndefined();
    await use(tokens, token, mine);
    expect(await store.get(entry.key)).toMatchObject({ value: entry.value });
  });

  test("leaves a workload alone that was declared meanwhile", async () => {
    const { tokens, store } = setup();
    const { token } = await tokens.create({ identity, registers: entry });
    await store.put(entry.key, "declared");
    expect(await use(tokens, token, mine)).toEqual(identity);
    expect(await store.get(entry.key)).toMatchObject({ value: "declared" });
    expect(await use(tokens, token, another)).toBe("claimed by another");
  });

  test.each([
    { title: "another secret", change: (token: string) => token.replace(/\.[^.]{43}\./, `.${"A".repeat(43)}.`) },
    { title: "another id", change: (token: string) => token.replace(/^kumiko-join\.[^.]{12}/, "kumiko-join.AAAAAAAAAAAA") },
    { title: "nothing", change: () => "" },
    { title: "a megabyte", change: () => "a".repeat(1_000_000) },
  ])("with $title is refused, and the right one is not spent", async ({ change }) => {
    const { tokens } = setup();
    const { token } = await tokens.create({ identity });
    expect(await use(tokens, change(token), another)).toBe("wrong");
    expect(await use(tokens, token, mine)).toEqual(identity);
  });

  test("of 10,000 guesses all but ten a minute are told to wait; the right one is never turned away, from the same address neither", async () => {
    const { tokens, clock } = setup();
    const { token } = await tokens.create({ identity });
    const [prefix, id = "", , pin] = token.split(".");
    const guess = [prefix, id, "A".repeat(43), pin].join(".");
    const answers: unknown[] = [];
    for (let i = 0; i < 10_000; i++) answers.push(await tokens.redeem(guess, "guesser"));
    expect(answers.map((answer) => answer === "wrong").lastIndexOf(true)).toBe(9);
    expect(new Set(answers)).toEqual(new Set(["wrong", "too-many-wrong"]));
    expect(await tokens.redeem(guess, "honest")).toBe("wrong");
    expect(await use(tokens, token, mine, "guesser")).toEqual(identity);
    clock.nowMs += 60_000;
    expect(await tokens.redeem(guess, "guesser")).toBe("wrong");
  });

  test.each([
    { title: "none", over: { namespace: "a/b" } },
    { title: "the control plane's own", over: { namespace: "kumiko-system", serviceAccount: "kumiko" } },
  ])("is not made for an identity that is $title", async ({ over }) => {
    await expect(setup().tokens.create({ identity: { ...identity, ...over } })).rejects.toMatchObject({ code: "usage" });
  });

  test("is not made while 10,000 are open", async () => {
    const { tokens, store } = setup();
    const { entries } = (await tokens.create({ identity }), await store.list({ kind: "JoinToken" }));
    const value = entries[0]?.value;
    const name = (i: number) => ({ kind: "JoinToken", namespace: "", name: `t-${i}` });
    await store.transaction(Array.from({ length: 9999 }, (_, i) => ({ kind: "put", key: name(i), value }) as const));
    await expect(tokens.create({ identity })).rejects.toMatchObject({ code: "refused" });
  });
});
