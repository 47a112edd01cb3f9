import { describe, expect, test } from "vitest";
import { createJoinTokens, createMemoryTokenStore, type JoinTokenRecord, MAX_JOIN_TOKEN_MS } from "./join-token.ts";
import { issueDevelopmentRoot, makeKey } from "./issue.ts";

const identity = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "users" };
const rootsPem = await issueDevelopmentRoot(makeKey(), { notBeforeMs: 0, notAfterMs: 4_000_000_000_000 });

function setup() {
  const clock = { nowMs: 1_000_000 };
  const now = () => clock.nowMs;
  const kept = new Map<string, JoinTokenRecord>();
  const store = createMemoryTokenStore(now);
  const spied = { put: (id: string, record: JoinTokenRecord) => (kept.set(id, record), store.put(id, record)), take: store.take };
  return { clock, kept, tokens: createJoinTokens({ store: spied, rootsPem, now }) };
}

describe("a join token", () => {
  test("gives its identity once", async () => {
    const { tokens } = setup();
    const { token } = await tokens.create({ identity });
    expect(await tokens.redeem(token, "a")).toEqual(identity);
    expect(await tokens.redeem(token, "a")).toBeUndefined();
  });

  test("gives it to one of two that come at once", async () => {
    const { tokens } = setup();
    const { token } = await tokens.create({ identity });
    const results = await Promise.all([tokens.redeem(token, "a"), tokens.redeem(token, "b")]);
    expect(results.filter((result) => result !== undefined)).toHaveLength(1);
  });

  test("ends after ten minutes, whatever was wished", async () => {
    const { tokens, clock } = setup();
    const { token, expiresAtMs } = await tokens.create({ identity, ttlMs: 1e12 });
    expect(expiresAtMs).toBe(1_000_000 + MAX_JOIN_TOKEN_MS);
    clock.nowMs = expiresAtMs;
    expect(await tokens.redeem(token, "a")).toBeUndefined();
  });

  test("is kept as a hash only", async () => {
    const { tokens, kept } = setup();
    const { token } = await tokens.create({ identity });
    const secret = token.split(".")[2] ?? "";
    expect(JSON.stringify([...kept])).not.toContain(secret);
  });

  test.each([
    { title: "another secret", change: (token: string) => token.replace(/\.[^.]{43}\./, `.${"A".repeat(43)}.`) },
    { title: "another id", change: (token: string) => token.replace(/^kumiko-join\.[^.]{12}/, "kumiko-join.AAAAAAAAAAAA") },
    { title: "nothing", change: () => "" },
    { title: "a megabyte", change: () => "a".repeat(1_000_000) },
  ])("with $title is refused", async ({ change }) => {
    const { tokens } = setup();
    const { token } = await tokens.create({ identity });
    expect(await tokens.redeem(change(token), "a")).toBeUndefined();
  });

  test("of 10,000 guesses only ten a minute are looked at; others may still join", async () => {
    const { tokens, clock } = setup();
    const { token } = await tokens.create({ identity });
    for (let i = 0; i < 10_000; i++) await tokens.redeem(`kumiko-join.${"A".repeat(12)}.${"A".repeat(43)}.${"0".repeat(64)}`, "guesser");
    expect(await tokens.redeem(token, "guesser")).toBeUndefined();
    expect(await tokens.redeem(token, "honest")).toEqual(identity);
    const second = await tokens.create({ identity });
    clock.nowMs += 60_000;
    expect(await tokens.redeem(second.token, "guesser")).toEqual(identity);
  });

  test("is not made for an identity that is none", async () => {
    await expect(setup().tokens.create({ identity: { ...identity, namespace: "a/b" } })).rejects.toMatchObject({ code: "usage" });
  });
});
