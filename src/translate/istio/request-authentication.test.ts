import { exportJWK, generateKeyPair, type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resourcesOf } from "../../testing/mesh.ts";
import { type ServingEnvoy, startServingEnvoy } from "../../testing/serving-envoy.ts";
import { type RequestAuthentication, toAuthentication } from "./request-authentication.ts";
import { NO_KEYS, usableKeys } from "./request-authentication-keys.ts";

const ISSUER = "https://id.example.com";

const policiesOf = (rules: string) =>
  resourcesOf(`
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens, namespace: shop }
spec:
  jwtRules: ${rules}
`) as readonly RequestAuthentication[];

describe("usableKeys", () => {
  test.each([
    { title: "a short RSA key", keys: [{ kty: "RSA", n: "AQAB", e: "AQAB" }] },
    { title: "an EC key of an unknown curve", keys: [{ kty: "EC", crv: "P-1", x: "A", y: "A" }] },
    { title: "a coordinate that is no Base64", keys: [{ kty: "EC", crv: "P-256", x: "!".repeat(43), y: "A".repeat(43) }] },
    { title: "a symmetric key", keys: [{ kty: "oct", k: "c2VjcmV0" }] },
    { title: "no key", keys: [] },
  ])("$title is no key", ({ keys }) => {
    expect(usableKeys(JSON.stringify({ keys })).ok).toBe(false);
  });
});

describe("toAuthentication", () => {
  test("a rule without an issuer is left out and said", () => {
    const { authentication, findings } = toAuthentication({ policies: policiesOf("[{ jwks: '{}' }]"), keySets: new Map() });
    expect(authentication.providers).toEqual([]);
    expect(findings).toMatchObject([{ code: "KMK3002", origin: { path: ["spec", "jwtRules", 0] } }]);
  });

  test("keys that are not known yet fail closed and are said, and come by the uri once known", () => {
    const policies = policiesOf(`[{ issuer: "${ISSUER}", jwksUri: "${ISSUER}/keys" }]`);
    const before = toAuthentication({ policies, keySets: new Map() });
    expect(before.authentication.providers[0]?.jwks).toBe(NO_KEYS);
    expect(before.findings).toMatchObject([{ code: "KMK3002", origin: { path: ["spec", "jwtRules", 0, "jwksUri"] } }]);
    const after = toAuthentication({ policies, keySets: new Map([[`${ISSUER}/keys`, NO_KEYS]]) });
    expect(after.findings).toEqual([]);
  });
});

describe("tokens on a real Envoy", () => {
  let envoy: ServingEnvoy;
  let sign: (claims: JWTPayload, header?: Partial<JWTHeaderParameters>) => Promise<string>;
  let forge: (claims: JWTPayload) => Promise<string>;
  const now = Math.floor(Date.now() / 1000);
  const good: JWTPayload = { iss: ISSUER, sub: "ann", exp: now + 600 };

  beforeAll(async () => {
    const own = await generateKeyPair("RS256");
    const other = await generateKeyPair("RS256");
    const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(own.publicKey)), kid: "own", alg: "RS256" }] });
    sign = (claims, header = {}) => new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "own", ...header }).sign(own.privateKey);
    forge = (claims) => new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "own" }).sign(other.privateKey);
    const rules = [
      { issuer: ISSUER, jwks, forwardOriginalToken: true, outputPayloadToHeader: "x-payload" },
      { issuer: "https://aud.example.com", jwks, audiences: ["shop"] },
      { issuer: "https://unknown.example.com", jwksUri: "https://unknown.example.com/keys" },
      { issuer: "https://cookie.example.com", jwks, fromCookies: ["session"] },
    ];
    const { authentication } = toAuthentication({ policies: policiesOf(JSON.stringify(rules)), keySets: new Map() });
    envoy = await startServingEnvoy({
      profile: "zero-trust",
      pathNormalization: "decode-and-merge-slashes",
      protocolDetectionTimeoutMs: 0,
      maxConnectionDurationMs: 0,
    });
    const empty = { enforced: false, policies: [] };
    await envoy.setPolicies({ authentication, custom: empty, deny: empty, allow: empty });
  });
  afterAll(() => envoy.close());

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

  test.each([
    { title: "none", headers: () => ({}), status: 200 },
    { title: "an empty Authorization", headers: () => ({ authorization: "" }), status: 200 },
    { title: "another scheme", headers: () => ({ authorization: "Basic x" }), status: 200 },
    { title: "a good one", headers: async () => bearer(await sign(good)), status: 200 },
    {
      title: "one that expired 30 s ago (Envoy allows 60 s)",
      headers: async () => bearer(await sign({ ...good, exp: now - 30 })),
      status: 200,
    },
    { title: "one that expired 5 minutes ago", headers: async () => bearer(await sign({ ...good, exp: now - 300 })), status: 401 },
    { title: "one that is not valid yet", headers: async () => bearer(await sign({ ...good, nbf: now + 300 })), status: 401 },
    { title: "one by another key", headers: async () => bearer(await forge(good)), status: 401 },
    { title: "one without a signature", headers: () => bearer(`${part({ alg: "none" })}.${part(good)}.`), status: 401 },
    {
      title: "one of which the signature was cut off",
      headers: async () => bearer((await sign(good)).split(".").slice(0, 2).join(".")),
      status: 401,
    },
    { title: "garbage", headers: () => bearer("a.b.c"), status: 401 },
    {
      title: "one of an unknown issuer",
      headers: async () => bearer(await sign({ ...good, iss: "https://evil.example.com" })),
      status: 401,
    },
    { title: "one without an issuer", headers: async () => bearer(await sign({ sub: "ann", exp: now + 600 })), status: 401 },
    {
      title: "one of an issuer whose keys are not known",
      headers: async () => bearer(await sign({ ...good, iss: "https://unknown.example.com" })),
      status: 401,
    },
    {
      title: "one for another audience",
      headers: async () => bearer(await sign({ ...good, iss: "https://aud.example.com", aud: "bank" })),
      status: 403,
    },
    {
      title: "one for the right audience",
      headers: async () => bearer(await sign({ ...good, iss: "https://aud.example.com", aud: ["shop"] })),
      status: 200,
    },
    {
      title: "a good one with a bad one in another place",
      headers: async () => ({
        ...bearer(await sign(good)),
        cookie: `session=${await forge({ ...good, iss: "https://cookie.example.com" })}`,
      }),
      status: 401,
    },
    {
      title: "a good one in a cookie",
      headers: async () => ({ cookie: `session=${await sign({ ...good, iss: "https://cookie.example.com" })}` }),
      status: 200,
    },
    {
      title: "two, of which one is bad",
      headers: async () => ({ authorization: [`Bearer ${await sign(good)}`, `Bearer ${await forge(good)}`] }),
      status: 401,
    },
  ])("$title: $status", async ({ headers, status }) => {
    expect((await envoy.send("/", await headers())).status).toBe(status);
  });

  test("in the query: a good one 200, a bad one 401", async () => {
    expect((await envoy.send(`/?access_token=${await sign(good)}`)).status).toBe(200);
    expect((await envoy.send(`/?access_token=${await forge(good)}`)).status).toBe(401);
  });

  test("the application gets the token only where the rule says so, and the payload under the header named", async () => {
    const kept = await envoy.send("/", bearer(await sign(good)));
    expect(kept.seen.headers?.authorization).toMatch(/^Bearer /);
    expect(JSON.parse(Buffer.from(String(kept.seen.headers?.["x-payload"]), "base64url").toString())).toMatchObject({ sub: "ann" });
    const taken = await envoy.send("/", bearer(await sign({ ...good, iss: "https://aud.example.com", aud: "shop" })));
    expect(taken.seen.headers?.authorization).toBeUndefined();
  });

  test("a payload header that a client makes up does not arrive", async () => {
    expect((await envoy.send("/", { "x-payload": "forged" })).seen.headers?.["x-payload"]).toBeUndefined();
  });
});
