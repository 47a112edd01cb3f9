import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { placesOf, readCredential, readSigningKeys, setUp } from "@platform/setup";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAccounts } from "./accounts.ts";
import { createIdentityProvider } from "./server.ts";
import { WEB_CLIENT, webPages } from "./settings.ts";

const places = placesOf({ PLATFORM_STATE: mkdtempSync(join(tmpdir(), "platform-identity-")) });
const PAGE = "https://user.localhost:9443";
let server: Server;

beforeAll(async () => {
  await setUp(places);
  const accounts = openAccounts(join(places.root, "accounts.json"));
  const credential = readCredential(places, "identity-provider");
  const signingKeys = readSigningKeys(places);
  server = createIdentityProvider({ accounts, signingKeys, accessTokenTtlSeconds: 900, credential, webPages: webPages(9_443) });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(places.root, { recursive: true, force: true });
});

/** A request as a browser makes it, which knows the provider by another name than its own. */
async function ask(path: string, { method = "GET", headers = {}, body = "" } = {}) {
  const { port } = server.address() as AddressInfo;
  const { authority: ca } = readCredential(places, "identity-provider");
  const host = "idp.localhost";
  const sent = httpsRequest({ host: "127.0.0.1", port, servername: host, ca, method, path, headers: { host, ...headers }, agent: false });
  const [response] = (await once(sent.end(body), "response")) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() };
}

const question = (over: Record<string, string | undefined>) => {
  const given = {
    response_type: "code",
    client_id: WEB_CLIENT,
    redirect_uri: `${PAGE}/`,
    scope: "openid profile email",
    state: "s",
    nonce: "n",
    code_challenge: "a".repeat(43),
    code_challenge_method: "S256",
    ...over,
  };
  return ask(`/auth?${new URLSearchParams(Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined))}`);
};
const redeem = (origin: string) => {
  const headers = { origin, "content-type": "application/x-www-form-urlencoded" };
  const form = {
    grant_type: "authorization_code",
    client_id: WEB_CLIENT,
    redirect_uri: `${PAGE}/`,
    code: "abc",
    code_verifier: "a".repeat(43),
  };
  return ask("/token", { method: "POST", headers, body: new URLSearchParams(form).toString() });
};

describe("the page as a client", () => {
  test("is told the endpoints under the name by which it asked, and the issuer's own", async () => {
    expect(JSON.parse((await ask("/.well-known/openid-configuration")).body)).toMatchObject({
      issuer: "https://idp.platform.internal",
      token_endpoint: "https://idp.localhost/token",
    });
  });

  test.each([`${PAGE}/`, "https://user.example.com/"])("may sign somebody in who is sent back to %s", async (redirect_uri) => {
    expect(await question({ redirect_uri })).toMatchObject({
      status: 303,
      headers: { location: expect.stringMatching(/^(https:\/\/idp\.localhost)?\/interaction\//) },
    });
  });

  test.each(["https://evil.example.org/", `${PAGE}/elsewhere`, "https://user.localhost:9444/", "http://user.localhost:9443/"])(
    "nobody is sent to %s",
    async (redirect_uri) => {
      const { status, headers, body } = await question({ redirect_uri });
      expect([status, headers.location, body]).toEqual([400, undefined, expect.stringContaining("redirect_uri")]);
    },
  );

  test.each([
    { title: "without a challenge", over: { code_challenge: undefined, code_challenge_method: undefined } },
    { title: "with a challenge that is the verifier itself", over: { code_challenge_method: "plain" } },
    { title: "for a token without a code", over: { response_type: "token" } },
  ])("is refused a question $title", async ({ over }) => {
    const { headers } = await question(over);
    expect(headers.location).toMatch(/^https:\/\/user\.localhost:9443\/[?#].*error=/);
  });

  test("gets tokens from its own addresses only", async () => {
    const own = await redeem(PAGE);
    expect([own.headers["access-control-allow-origin"], JSON.parse(own.body)]).toMatchObject([PAGE, { error: "invalid_grant" }]);
    for (const origin of ["https://evil.example.org", "https://user.localhost:9444", "null"]) {
      const other = await redeem(origin);
      expect([other.headers["access-control-allow-origin"], JSON.parse(other.body)]).toMatchObject([
        undefined,
        { error: "invalid_request" },
      ]);
    }
  });
});
