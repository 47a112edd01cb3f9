import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";
import { authorizationUrl, checkIdToken, discover, newSignIn, readCallback, redeem } from "./page/oidc.ts";

const settings = { issuer: "https://idp.example.com", identityProvider: "https://idp.localhost:19443", clientId: "platform-web" };
const metadata = {
  issuer: settings.issuer,
  authorization_endpoint: "https://idp.localhost:19443/auth",
  token_endpoint: "https://idp.localhost:19443/token",
  jwks_uri: "https://idp.localhost:19443/jwks",
};
const pending = newSignIn("https://user.localhost:9443/", "#chat");
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const keys = [{ ...(publicKey.export({ format: "jwk" }) as { kty: string }), kid: "one", use: "sig", alg: "ES256" }];
const NOW = 1_800_000_000;
const expected = { issuer: settings.issuer, audience: settings.clientId, nonce: pending.nonce };
const good = { iss: settings.issuer, aud: settings.clientId, sub: "alice", nonce: pending.nonce, iat: NOW - 1, exp: NOW + 600 };

function idToken(
  claims: object,
  { header = { alg: "ES256", kid: "one" }, key = privateKey }: { header?: object; key?: KeyObject } = {},
): string {
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

afterEach(() => vi.unstubAllGlobals());

describe("the question", () => {
  test("asks for a code with PKCE (S256), state and nonce; each sign-in has its own", async () => {
    const url = new URL(await authorizationUrl(settings, metadata, { pending, language: "ja", silent: false }));
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: "code",
      client_id: "platform-web",
      redirect_uri: pending.redirectUri,
      scope: "openid profile email",
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: createHash("sha256").update(pending.verifier).digest("base64url"),
      code_challenge_method: "S256",
      ui_locales: "ja",
    });
    const other = newSignIn(pending.redirectUri, "");
    expect(new Set([pending.state, pending.nonce, pending.verifier, other.state, other.nonce, other.verifier]).size).toBe(6);
    expect(pending.verifier).toMatch(/^[\w-]{43}$/);
  });

  test("asks silently after a reload", async () => {
    const url = new URL(await authorizationUrl(settings, metadata, { pending, language: "en", silent: true }));
    expect(url.searchParams.get("prompt")).toBe("none");
  });

  test.each([
    { title: "another issuer", over: { issuer: "https://elsewhere.example.com" } },
    { title: "a token endpoint elsewhere", over: { token_endpoint: "https://elsewhere.example.com/token" } },
    { title: "an end of session elsewhere", over: { end_session_endpoint: "https://elsewhere.example.com/end" } },
  ])("is not put to $title", async ({ over }) => {
    vi.stubGlobal("fetch", async () => Response.json({ ...metadata, ...over }));
    await expect(discover(settings)).rejects.toMatchObject({ code: "discovery" });
    vi.stubGlobal("fetch", async () => Response.json(metadata));
    expect(await discover(settings)).toEqual(metadata);
  });
});

describe("the way back", () => {
  const answer = { state: pending.state, iss: settings.issuer, code: "abc" };
  const read = (over: object, from = pending as typeof pending | undefined) =>
    readCallback(settings, new URLSearchParams({ ...answer, ...over } as Record<string, string>), from);

  test("brings the code", () => {
    expect(read({})).toBe("abc");
    expect(readCallback(settings, new URLSearchParams("a=b"), pending)).toBeUndefined();
  });

  test.each([
    { title: "another state", over: { state: "forged" }, code: "state" },
    { title: "another provider", over: { iss: "https://elsewhere.example.com" }, code: "issuer" },
    { title: "a refusal", over: { error: "access_denied" }, code: "access_denied" },
  ])("with $title is refused", ({ over, code }) => {
    expect(() => read(over)).toThrow(expect.objectContaining({ code }));
  });

  test("that nobody asked for is refused", () => {
    expect(() => readCallback(settings, new URLSearchParams(answer), undefined)).toThrow(expect.objectContaining({ code: "state" }));
  });
});

describe("the tokens", () => {
  test("come for code and verifier, and name who it is", async () => {
    const now = Date.now() / 1_000;
    const token = idToken({ ...good, iat: now, exp: now + 60 });
    const sent: string[] = [];
    vi.stubGlobal("fetch", async (url: string, init?: { body: URLSearchParams }) => {
      sent.push(`${url} ${init?.body ?? ""}`);
      return Response.json(url === metadata.jwks_uri ? { keys } : { access_token: "access", id_token: token });
    });
    expect(await redeem(settings, metadata, { code: "abc", pending })).toEqual({ accessToken: "access", idToken: token, subject: "alice" });
    expect(sent[0]).toContain(`code=abc&code_verifier=${pending.verifier}`);
  });

  test("are good with a good ID token", async () => {
    expect(await checkIdToken(idToken(good), keys, expected, NOW)).toBe("alice");
  });

  const { privateKey: stranger } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const [head = "", , signature = ""] = idToken(good).split(".");
  const mallory = Buffer.from(JSON.stringify({ ...good, sub: "mallory" })).toString("base64url");
  test.each([
    { title: "of another issuer", token: idToken({ ...good, iss: "https://elsewhere.example.com" }) },
    { title: "for another client", token: idToken({ ...good, aud: "other" }) },
    { title: "for several clients", token: idToken({ ...good, aud: [settings.clientId, "other"] }) },
    { title: "that has ended", token: idToken({ ...good, exp: NOW - 61 }) },
    { title: "without an end", token: idToken({ ...good, exp: undefined }) },
    { title: "of the future", token: idToken({ ...good, iat: NOW + 61 }) },
    { title: "of another sign-in", token: idToken({ ...good, nonce: "other" }) },
    { title: "without a nonce", token: idToken({ ...good, nonce: undefined }) },
    { title: "without a subject", token: idToken({ ...good, sub: undefined }) },
    { title: "of a stranger's key", token: idToken(good, { key: stranger }) },
    { title: "of an unknown key", token: idToken(good, { header: { alg: "ES256", kid: "two" } }) },
    { title: "without a signature", token: idToken(good, { header: { alg: "none", kid: "one" } }) },
    { title: "whose claims were changed", token: `${head}.${mallory}.${signature}` },
    { title: "that is none", token: "abc" },
  ])("are refused with an ID token $title", async ({ token }) => {
    await expect(checkIdToken(token, keys, expected, NOW)).rejects.toMatchObject({ code: "id_token" });
  });
});
