import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import type { Server } from "node:https";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Credential, placesOf, readCredential, readSigningKeys, setUp, type SigningKeys } from "@platform/setup";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAccounts } from "./accounts.ts";
import { mintToken } from "./mint.ts";
import { createIdentityProvider } from "./server.ts";
import { signIn } from "./sign-in.ts";

const PASSWORD = "correct horse battery";
const places = placesOf({ PLATFORM_STATE: mkdtempSync(join(tmpdir(), "platform-identity-")) });
let server: Server;
let credential: Credential;
let signingKeys: SigningKeys;
let port: number;
const accountsFile = join(places.root, "identity-provider", "accounts.json");

beforeAll(async () => {
  await setUp(places);
  credential = readCredential(places, "identity-provider");
  signingKeys = readSigningKeys(places);
  const accounts = openAccounts(accountsFile);
  const webPages = ["https://user.localhost:9443/"];
  server = createIdentityProvider({ accounts, signingKeys, accessTokenTtlSeconds: 900, credential, webPages }).listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(places.root, { recursive: true, force: true });
});

async function get(path: string, method = "GET"): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const name = "idp.platform.internal";
  httpsRequest(
    { host: "127.0.0.1", port, servername: name, headers: { host: name }, ca: credential.authority, path, method, agent: false },
    (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    },
  )
    .on("error", reject)
    .end();
  return await promise;
}

const keySet = async (): Promise<JSONWebKeySet> => JSON.parse((await get("/jwks")).body);

describe("the identity provider", () => {
  test("gives a token of audience platform that its published keys verify, with the user's role", async () => {
    const token = await signIn({ user: "bob", port, ca: credential.authority });
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(await keySet()));
    expect(payload).toMatchObject({
      iss: "https://idp.platform.internal",
      aud: "platform",
      sub: "bob",
      role: "admin",
      email: "bob@example.com",
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(900);
    expect(protectedHeader.alg).toBe("ES256");
  });

  test("publishes no private key", async () => {
    const { keys } = await keySet();
    expect(keys.map((key) => Object.keys(key).toSorted())).toEqual([["alg", "crv", "kid", "kty", "use", "x", "y"]]);
  });

  test("knows only its users", async () => {
    await expect(signIn({ user: "mallory", port, ca: credential.authority })).rejects.toThrow("no such user");
  });

  test("refuses a sign-in page that nobody asked for", async () => {
    expect(await get("/interaction/abc")).toMatchObject({ status: 400 });
  });

  test("announces itself under the name that tokens carry", async () => {
    const discovery = JSON.parse((await get("/.well-known/openid-configuration")).body);
    expect(discovery).toMatchObject({ issuer: "https://idp.platform.internal", jwks_uri: "https://idp.platform.internal/jwks" });
  });
});

describe("registration", () => {
  const register = { name: "Dave <b>Doi</b>", email: "dave@example.com" };
  const dave = { user: "dave", password: PASSWORD };
  const tokenOf = (over: object) => signIn({ ...dave, port, ca: credential.authority, ...over });

  test("makes an account with role user, signs in, and the account is there for the next time", async () => {
    const claims = async (over: object) => (await jwtVerify(await tokenOf(over), createLocalJWKSet(await keySet()))).payload;
    const expected = { sub: "dave", role: "user", name: "Dave <b>Doi</b>", email: "dave@example.com" };
    expect(await claims({ register })).toMatchObject(expected);
    expect(await claims({})).toMatchObject(expected);
    expect(openAccounts(accountsFile).find("dave")).toEqual(expected);
  });

  test("keeps passwords as hashes only, in a file that is its owner's alone", () => {
    expect(readFileSync(accountsFile, "utf8")).not.toContain(PASSWORD);
    expect(statSync(accountsFile).mode & 0o077).toBe(0);
  });

  test.each([
    { title: "a name that is taken", over: { register }, message: "is taken" },
    { title: "a demo user's name", over: { user: "bob", register }, message: "is taken" },
    { title: "a name that does not fit", over: { user: "<script>", register }, message: "user name:" },
    { title: "a short password", over: { user: "erin", password: "short", register }, message: "at least 12" },
    { title: "no address", over: { user: "erin", register: { name: "Erin", email: "x" } }, message: "email:" },
    { title: "a role of one's own choice", over: { user: "erin", register: { ...register, name: "", role: "admin" } }, message: "name:" },
  ])("refuses $title", async ({ over, message }) => {
    await expect(tokenOf(over)).rejects.toThrow(message);
  });

  test("a wrong password and an unknown name are refused alike, and after five everyone has to wait", async () => {
    await expect(tokenOf({ user: "nobody" })).rejects.toThrow("user name or password is wrong");
    for (let count = 0; count < 5; count++) await expect(tokenOf({ password: "wrong" })).rejects.toThrow("user name or password is wrong");
    await expect(tokenOf({})).rejects.toThrow("wait half a minute");
  });
});

describe("mintToken", () => {
  test.each([
    { title: "one that has ended", given: { ttlSeconds: -600 }, code: "ERR_JWT_EXPIRED" },
    { title: "one for another audience", given: { ttlSeconds: 600, audience: "other" }, code: "ERR_JWT_CLAIM_VALIDATION_FAILED" },
    {
      title: "one of another issuer",
      given: { ttlSeconds: 600, issuer: "https://elsewhere.example.com" },
      code: "ERR_JWT_CLAIM_VALIDATION_FAILED",
    },
  ])("makes $title, signed by the provider's key", async ({ given, code }) => {
    const token = await mintToken({ user: "alice", signingKeys, ...given });
    const keys = createLocalJWKSet(await keySet());
    await expect(jwtVerify(token, keys, { audience: "platform", issuer: "https://idp.platform.internal" })).rejects.toMatchObject({ code });
  });
});
