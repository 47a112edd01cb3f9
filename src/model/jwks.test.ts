import { describe, expect, test } from "vitest";
import { readKeySet } from "./jwks.ts";

const rsa = { kty: "RSA", n: "AQ", e: "AQAB", kid: "1" };

describe("readKeySet", () => {
  test.each([
    { title: "an HTML page is refused", text: "<html>", problem: "not JSON" },
    { title: "an empty set is refused", text: '{"keys":[]}', problem: "no public" },
    { title: "a set of symmetric keys is refused", text: '{"keys":[{"kty":"oct","k":"AAAA"}]}', problem: "no public" },
    { title: "a list instead of a set is refused", text: "[]", problem: "not a JWK Set" },
    { title: "an encryption key alone is refused", text: JSON.stringify({ keys: [{ ...rsa, use: "enc" }] }), problem: "no public" },
  ])("$title", ({ text, problem }) => {
    expect(readKeySet(text)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
  });

  test("a private key is kept without its private members", () => {
    const read = readKeySet(
      JSON.stringify({
        keys: [
          { ...rsa, d: "secret", p: "secret" },
          { kty: "oct", k: "secret" },
        ],
      }),
    );
    expect(read).toEqual({ ok: true, jwks: JSON.stringify({ keys: [rsa] }), keys: 1 });
  });
});
