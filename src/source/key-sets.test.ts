import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
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
    expect(await fetchKeySet("http://idp.test:9000/jwks", { hosts: new Map([["idp.test:9000", address]]) })).toBe("idp.test:9000/jwks");
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
