import { describe, expect, test } from "vitest";
import type { TokenSpec } from "./document.ts";
import { TestIssuers, verifyToken } from "./issuers.ts";

const NOW = Date.UTC(2026, 0, 1);
const issuers = new TestIssuers();
const token = (over: Partial<TokenSpec> = {}): TokenSpec => ({
  issuer: "https://idp.example.com",
  claims: {},
  expiresInMs: 3_600_000,
  notBeforeMs: 0,
  signedBy: "issuer",
  place: { header: "authorization", prefix: "Bearer " },
  ...over,
});
const claimsOf = (text: string) => JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString());

describe("a test token", () => {
  test.each([
    { title: "of its issuer is good", spec: token(), of: "https://idp.example.com", result: "ok" },
    { title: "of another issuer is not", spec: token(), of: "https://other.example.com", result: "bad-signature" },
    { title: "of a wrong key is not", spec: token({ signedBy: "wrong-key" }), of: "https://idp.example.com", result: "bad-signature" },
    { title: "without a signature is not", spec: token({ signedBy: "none" }), of: "https://idp.example.com", result: "bad-signature" },
  ])("$title", ({ spec, of, result }) => {
    expect(verifyToken(issuers.jwksOf(of), issuers.sign(spec, NOW))).toBe(result);
  });

  test("that somebody changed is bad", () => {
    const [header = "", payload = "", signature = ""] = issuers.sign(token({ subject: "alice" }), NOW).split(".");
    const changed = Buffer.from(JSON.stringify({ sub: "bob" })).toString("base64url");
    const jwks = issuers.jwksOf("https://idp.example.com");
    expect(verifyToken(jwks, `${header}.${payload}.${signature}`)).toBe("ok");
    expect(verifyToken(jwks, `${header}.${changed}.${signature}`)).toBe("bad-signature");
    expect(verifyToken(jwks, "nonsense")).toBe("bad-signature");
  });

  test("has its times from now, and its claims as written", () => {
    const spec = token({
      subject: "alice",
      audiences: ["a"],
      expiresInMs: -300_000,
      notBeforeMs: -600_000,
      claims: { roles: ["x"], iss: "other" },
    });
    expect(claimsOf(issuers.sign(spec, NOW))).toEqual({
      iss: "other",
      sub: "alice",
      aud: ["a"],
      iat: NOW / 1000 - 600,
      nbf: NOW / 1000 - 600,
      exp: NOW / 1000 - 300,
      roles: ["x"],
    });
  });
});
