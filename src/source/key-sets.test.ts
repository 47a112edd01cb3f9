import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { fetchKeySet } from "./key-set-fetch.ts";
import { startKeySetSource } from "./key-sets.ts";
import type { KeptKeys, LastGoodKeys } from "./last-good-keys.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Keeps in memory what a store would. */
function memory(known: Readonly<Record<string, KeptKeys>> = {}): LastGoodKeys & { readonly kept: Map<string, KeptKeys> } {
  const kept = new Map(Object.entries(known));
  return { kept, read: async (uri) => kept.get(uri), write: async (uri, value) => void kept.set(uri, value) };
}

const keys = (kid: string) => JSON.stringify({ keys: [{ kty: "RSA", n: "AQ", e: "AQAB", kid }] });

async function provider(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("fetchKeySet", () => {
  test.each([
    { title: "loopback by address", uri: "http://127.0.0.1:9/jwks" },
    { title: "loopback by name", uri: "http://localhost:9/jwks" },
    { title: "IPv6 loopback", uri: "http://[::1]:9/jwks" },
    { title: "IPv4 loopback dressed as IPv6", uri: "http://[::ffff:127.0.0.1]:9/jwks" },
    { title: "a cloud's metadata", uri: "http://169.254.169.254/latest" },
    { title: "a file", uri: "file:///etc/passwd" },
    { title: "credentials in the URL", uri: "http://user:password@idp.test/jwks" },
  ])("$title is refused", async ({ uri }) => {
    await expect(fetchKeySet(uri, { hosts: new Map() })).rejects.toMatchObject({ code: "refused" });
  });

  test("a host that the user mapped is fetched from where it really is", async () => {
    const address = await provider((request, response) => response.end(`${request.headers.host}${request.url}`));
    expect(await fetchKeySet("http://idp.test:9000/jwks", { hosts: new Map([["idp.test:9000", address]]) })).toEqual({
      text: "idp.test:9000/jwks",
    });
  });

  test.each([
    {
      title: "a redirect is not followed",
      answer: ((_, response) => response.writeHead(302, { location: "http://x.test" }).end()) as RequestListener,
      problem: "302",
    },
    {
      title: "more than 1 MiB is cut off",
      answer: ((_, response) => response.end("x".repeat(2 ** 21))) as RequestListener,
      problem: "more than 1048576 bytes",
    },
  ])("$title", async ({ answer, problem }) => {
    const hosts = new Map([["idp.test", await provider(answer)]]);
    await expect(fetchKeySet("http://idp.test/jwks", { hosts })).rejects.toThrow(problem);
  });
});

test("what has the version that is known is not sent again", async () => {
  const sent: string[] = [];
  const address = await provider((request, response) => {
    const isKnown = request.headers["if-none-match"] === '"v1"';
    sent.push(isKnown ? "nothing" : "all");
    response.writeHead(isKnown ? 304 : 200, { etag: '"v1"' }).end(isKnown ? "" : keys("1"));
  });
  const hosts = new Map([["idp.test", address]]);
  expect(await fetchKeySet("http://idp.test/jwks", { hosts })).toEqual({ text: keys("1"), version: '"v1"' });
  expect(await fetchKeySet("http://idp.test/jwks", { hosts, known: '"v1"' })).toBe("unchanged");
  // Nobody asked whether it changed: such an answer is none.
  await expect(
    fetchKeySet("http://idp.test/jwks", { hosts: new Map([["idp.test", await provider((_, response) => response.writeHead(304).end())]]) }),
  ).rejects.toThrow("304");
  expect(sent).toEqual(["all", "nothing"]);
});

describe("startKeySetSource", () => {
  test("keeps the last good keys when the provider answers a page, says so once, and takes new ones when it is back", async () => {
    const page = "<html>sign in to this network</html>";
    const answers = [keys("1"), page, page, keys("2")];
    const hosts = new Map([["idp.test", await provider((_, response) => response.end(answers.length > 1 ? answers.shift() : answers[0]))]]);
    const seen: string[] = [];
    const problems: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const source = startKeySetSource({
      hosts,
      refreshMs: 1,
      retryMs: 1,
      lastGood: memory(),
      onChange(sets) {
        seen.push(sets.map(({ body }) => body.jwks).join());
        if (seen.length === 2) resolve();
      },
      onProblem: (_, problem) => problems.push(problem),
    });
    closers.push(() => source.close());
    source.setUris(["http://idp.test/jwks"]);
    await promise;
    expect(seen).toEqual([keys("1"), keys("2")]);
    expect(problems).toEqual(["http://idp.test/jwks: not JSON"]);
  });

  const HOUR_MS = 3_600_000;
  test.each([
    { title: "an earlier process's keys hold while the provider is away", age: 23 * HOUR_MS, seen: [keys("1")] },
    { title: "but for a day only", age: 25 * HOUR_MS, seen: [] },
  ])("$title", async ({ age, seen: expected }) => {
    const uri = "http://idp.test/jwks";
    const hosts = new Map([["idp.test", await provider((_, response) => response.writeHead(503).end())]]);
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<string>();
    const lastGood = memory({ [uri]: { jwks: keys("1"), fetchedAt: Date.now() - age } });
    const onChange = (sets: readonly { readonly body: { readonly jwks: string } }[]) =>
      void seen.push(sets.map(({ body }) => body.jwks).join());
    const source = startKeySetSource({ hosts, lastGood, onChange, onProblem: (_, problem) => resolve(problem) });
    closers.push(() => source.close());
    source.setUris([uri]);
    await source.recalled();
    expect(seen).toEqual(expected);
    expect(await promise).toContain("503");
    expect(seen).toEqual(expected);
  });

  test("what was fetched is kept for the next process", async () => {
    const uri = "http://idp.test/jwks";
    const hosts = new Map([["idp.test", await provider((_, response) => response.end(keys("1")))]]);
    const lastGood = memory();
    const { promise, resolve } = Promise.withResolvers<void>();
    const write: LastGoodKeys["write"] = async (name, value) => lastGood.write(name, value).then(resolve);
    const source = startKeySetSource({ hosts, lastGood: { ...lastGood, write }, onChange: () => {}, onProblem: () => {} });
    closers.push(() => source.close());
    source.setUris([uri]);
    await promise;
    expect(lastGood.kept.get(uri)).toMatchObject({ jwks: keys("1"), fetchedAt: expect.closeTo(Date.now(), -5) });
  });
});

describe("a provider's keys, followed for hours", () => {
  const uri = "http://idp.test/jwks";
  const away = (): string => {
    throw new Error("connection refused");
  };
  /** Answers that are no key set that a proxy could use. */
  const BAD: readonly { readonly title: string; readonly answer: () => string }[] = [
    { title: "nobody answers", answer: away },
    { title: "a page", answer: () => "<html>sign in</html>" },
    { title: "no keys", answer: () => '{"keys":[]}' },
    { title: "an empty list", answer: () => "[]" },
    { title: "a symmetric key", answer: () => '{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"3"}]}' },
    { title: "nothing", answer: () => "" },
  ];

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function follow(answer: () => string, takesMs = 0) {
    const provider = { answer, fetches: 0, inFlight: 0, most: 0 };
    const seen: string[] = [];
    const lastGood = memory();
    let writes = 0;
    const source = startKeySetSource({
      hosts: new Map(),
      lastGood: { ...lastGood, write: async (...kept) => ((writes += 1), await lastGood.write(...kept)) },
      onChange: (sets) => void seen.push(sets.map(({ body }) => body.jwks).join()),
      onProblem: () => {},
      fetch: async () => {
        provider.fetches += 1;
        provider.most = Math.max(provider.most, ++provider.inFlight);
        if (takesMs > 0) await new Promise((resolve) => setTimeout(resolve, takesMs));
        provider.inFlight -= 1;
        return { text: provider.answer() };
      },
    });
    closers.push(() => source.close());
    source.setUris([uri]);
    return { provider, source, now: () => seen.at(-1) ?? "", seen, writes: () => writes };
  }

  const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

  test.each([0, 4900])("a new key counts within 30 s and a withdrawn one is gone, when an answer takes %i ms", async (takesMs) => {
    const { provider, now } = follow(() => keys("1"), takesMs);
    await pass(3600);
    expect(now()).toBe(keys("1"));
    for (const kid of ["2", "3", "1"]) {
      provider.answer = () => keys(kid);
      await pass(30);
      expect(now()).toBe(keys(kid));
    }
  });

  test.each(BAD)("at the start: $title; there are no keys, and those of the provider count soon after it is well", async ({ answer }) => {
    const { provider, now, seen } = follow(answer);
    await pass(600);
    expect(seen).toEqual([]);
    provider.answer = () => keys("1");
    await pass(5);
    expect(now()).toBe(keys("1"));
  });

  test.each(BAD)("later: $title; good keys are not replaced, and a new one counts within 30 s after it is well", async ({ answer }) => {
    const { provider, now, seen } = follow(() => keys("1"));
    await pass(60);
    provider.answer = answer;
    await pass(3 * 3600);
    expect(seen).toEqual([keys("1")]);
    provider.answer = () => keys("2");
    await pass(30);
    expect(now()).toBe(keys("2"));
  });

  test.each([
    { title: "well", answer: () => keys("1"), most: 5 },
    { title: "ill, after it was well", answer: away, first: () => keys("1"), most: 12 },
    { title: "ill from the start", answer: away, most: 35 },
  ])("one is asked a few times a minute, one after another, however often the rules change: $title", async ({ answer, first, most }) => {
    const { provider, source } = follow(first ?? answer, 100);
    await pass(60);
    provider.answer = answer;
    for (let minute = 0; minute < 10; minute++) {
      const before = provider.fetches;
      for (let i = 0; i < 60; i++) {
        source.setUris([uri]);
        await pass(1);
      }
      expect(provider.fetches - before).toBeLessThanOrEqual(most);
      expect(provider.fetches - before).toBeGreaterThan(0);
    }
    expect(provider.most).toBe(1);
  });

  test("what doesn't change is written once an hour, not at each fetch", async () => {
    const { writes } = follow(() => keys("1"));
    await pass(3 * 3600 + 60);
    expect(writes()).toBe(4);
  });
});
