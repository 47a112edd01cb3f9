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

describe("the provider's pages", () => {
  /** As a browser that has begun a sign-in: where it was sent, with the cookies that it was given. */
  const beginSignIn = async (over: Record<string, string> = {}) => {
    const { headers } = await question(over);
    const cookie = (headers["set-cookie"] ?? []).map((line) => line.split(";")[0]).join("; ");
    return { path: new URL(headers.location ?? "", "https://idp.localhost").pathname, cookie };
  };
  const html = { accept: "text/html" };

  test.each([
    { title: "as the client wishes", over: { ui_locales: "ja" }, accepts: "en", heading: "サインイン" },
    { title: "else as the browser does", over: {}, accepts: "ja-JP,ja;q=0.9", heading: "サインイン" },
    { title: "as the client wishes, in English", over: { ui_locales: "en" }, accepts: "ja", heading: "Sign in" },
  ])("signing in is in the language that is asked for, $title", async ({ over, accepts, heading }) => {
    const { path, cookie } = await beginSignIn(over);
    const answer = await ask(path, { headers: { ...html, cookie, "accept-language": accepts } });
    expect(answer.status).toBe(200);
    expect(answer.body).toContain(`<h1>${heading}</h1>`);
    const refused = await ask(path, { method: "POST", headers: { cookie, "accept-language": accepts }, body: "user=nobody" });
    expect([refused.status, refused.body]).toEqual([400, expect.stringContaining(heading === "Sign in" ? "no such user" : "存在しません")]);
  });

  test("a sign-in that has ended, and one with a form that is too long, end on a page", async () => {
    const { path, cookie } = await beginSignIn();
    const ended = await ask(path, { headers: { ...html, "accept-language": "ja" } });
    expect([ended.status, ended.headers["content-type"], ended.body]).toEqual([
      400,
      "text/html; charset=utf-8",
      expect.stringContaining("このサインインは終了しています"),
    ]);
    expect(await ask(path, { method: "POST", headers: { cookie }, body: `user=${"a".repeat(5_000)}` })).toMatchObject({ status: 400 });
  });

  test("signing out is asked on a page of ours, in the client's language, which only its own style may dress", async () => {
    const { path, cookie } = await beginSignIn();
    const signedIn = await ask(path, { method: "POST", headers: { cookie }, body: "user=alice" });
    const resumed = await ask(new URL(signedIn.headers.location ?? "", "https://idp.localhost").pathname, { headers: { cookie } });
    const session = (resumed.headers["set-cookie"] ?? []).map((line) => line.split(";")[0]).join("; ");
    const answer = await ask(`/session/end?client_id=${WEB_CLIENT}&ui_locales=ja`, { headers: { ...html, cookie: session } });
    expect([answer.status, answer.body]).toEqual([200, expect.stringContaining("サインアウトしますか。")]);
    expect(answer.body).toMatch(/<form id="op.logoutForm" method="post"[^]*<button form="op.logoutForm" name="logout" value="yes">/);
    expect(answer.headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; form-action \*;/);
    const done = await ask("/session/end/success", { headers: { ...html, "accept-language": "ja" } });
    expect([done.status, done.body]).toEqual([200, expect.stringContaining("サインアウトしました")]);
  });

  test("what goes wrong is said on a page to a browser, with the protocol's own words as text", async () => {
    const answer = await ask("/auth?client_id=%3Cscript%3E&redirect_uri=x", { headers: { ...html, "accept-language": "ja" } });
    expect([answer.status, answer.headers["content-type"]]).toEqual([400, "text/html; charset=utf-8"]);
    expect(answer.body).toContain("<h1>うまくいきませんでした</h1>");
    expect(answer.body).toContain("error: invalid");
    expect(answer.body).not.toContain("<script");
  });
});
