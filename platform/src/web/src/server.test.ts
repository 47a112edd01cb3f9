import { afterAll, describe, expect, test } from "vitest";
import { createWebServer } from "./server.ts";

const settings = { issuer: "https://idp.example.com", identityProvider: "https://idp.localhost:19443", clientId: "platform-web" };
const server = createWebServer(settings, { version: "v1", logLevel: "silent" });
afterAll(() => server.close());

const get = (url: string, headers: Record<string, string> = {}) => server.inject({ url, headers });

describe("the page's server", () => {
  test.each([
    { prefers: "ja-JP,ja;q=0.9,en;q=0.8", language: "ja" },
    { prefers: "en-GB,ja;q=0.5", language: "en" },
    { prefers: "de,fr", language: "en" },
    { prefers: "", language: "en" },
  ])("the document is in $language for $prefers", async ({ prefers, language }) => {
    const answer = await get("/", { "accept-language": prefers });
    expect([answer.statusCode, answer.headers["vary"], answer.body]).toEqual([
      200,
      "accept-language",
      expect.stringContaining(`<html lang="${language}">`),
    ]);
  });

  test("nothing runs that isn't the page's own, and nobody frames it", async () => {
    for (const url of ["/", "/assets/main.ts", "/config.json", "/nothing"]) {
      const { headers } = await get(url);
      const policy = String(headers["content-security-policy"]);
      for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
        expect(policy.split("; ")).toContain(part);
      }
      expect(policy).not.toContain("unsafe");
      expect(policy).toContain("connect-src 'self' https://idp.localhost:19443;");
      expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer" });
    }
  });

  test("the document has no script, style or handler in it", async () => {
    const { body } = await get("/");
    expect(body).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:/i);
  });

  test("TypeScript comes as JavaScript, each module with all that it imports", async () => {
    const seen = new Set<string>();
    const visit = async (name: string): Promise<void> => {
      if (seen.has(name)) return;
      seen.add(name);
      const answer = await get(`/assets/${name}`);
      expect([name, answer.statusCode, answer.headers["content-type"]]).toEqual([name, 200, "text/javascript; charset=utf-8"]);
      expect(answer.body).not.toMatch(/^\s*(?:interface|import type|export type) /m);
      for (const [, other = ""] of answer.body.matchAll(/from "\.\/([^"]+)"/g)) await visit(other);
    };
    await visit("main.ts");
    expect(seen.size).toBeGreaterThan(10);
  });

  test("a file that has not changed is not sent again", async () => {
    const first = await get("/assets/style.css");
    const again = await get("/assets/style.css", { "if-none-match": String(first.headers["etag"]) });
    expect([again.statusCode, again.body]).toEqual([304, ""]);
  });

  test.each([
    "/assets/index.html",
    "/assets/missing.html",
    "/assets/..%2Fmain.ts",
    "/assets/tsconfig.json",
    "/assets/__proto__",
    "/assets/",
  ])("%s is not there", async (url) => {
    expect((await get(url)).statusCode).toBe(404);
  });

  test.each([
    { url: "/nope", prefers: "ja,en;q=0.5", language: "ja", text: "ページが見つかりません" },
    { url: "/nope/deeper?a=b", prefers: "en", language: "en", text: "There is no such page" },
    { url: "/%3Cscript%3Ealert(1)%3C/script%3E", prefers: "", language: "en", text: "There is no such page" },
    { url: "/api/v1/users", prefers: "", language: "en", text: "There is no such page" },
  ])("at $url is a page that says in $language that nothing is there", async ({ url, prefers, language, text }) => {
    const { statusCode, headers, body } = await get(url, { "accept-language": prefers });
    expect([statusCode, headers["content-type"], headers["vary"]]).toEqual([404, "text/html; charset=utf-8", "accept-language"]);
    expect(body).toContain(`<html lang="${language}">`);
    expect(body).toContain(`<h1 data-text="missing">${text}</h1>`);
    expect(body).not.toMatch(/<script|alert|"><\/(?:title|p|a)>/);
  });

  test("what is sent to nowhere is no page", async () => {
    const answer = await server.inject({ method: "POST", url: "/nope" });
    expect([answer.statusCode, answer.headers["content-type"]]).toEqual([404, "application/problem+json"]);
  });

  test("the page is told of the identity provider", async () => {
    expect((await get("/config.json")).json()).toEqual(settings);
  });
});
