import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { pageHeaders } from "./html-page.ts";
import { failurePage, registrationPage, signedOutPage, signInPage, signOutPage } from "./pages.ts";
import type { Language } from "./text.ts";

const PATH = "/interaction/x";
const pagesIn = (language: Language) => [
  signInPage(language, PATH, "wrong"),
  registrationPage(language, `${PATH}/register`, {}, ["userTaken", "emailWrong"]),
  signOutPage(language, '<form id="op.logoutForm"></form>'),
  signedOutPage(language),
  failurePage(language, "ended", ["error: invalid_request"]),
];

test("what was typed is shown again as text, never as markup, and the password not at all", () => {
  const html = registrationPage("en", `${PATH}/register`, { user: '"><script>', name: "<b>", password: "secret-word" }, ["nameEmpty"]);
  expect(html).toContain('value="&quot;&gt;&lt;script&gt;"');
  expect(html).toContain('<p role="alert">name: must not be empty</p>');
  expect(html).not.toMatch(/<script|<b>|secret-word/);
});

test("what the protocol says went wrong is text", () => {
  expect(failurePage("en", undefined, ["error_description: <i>no</i>"])).toContain("<pre>error_description: &lt;i&gt;no&lt;/i&gt;</pre>");
});

test.each(["en", "ja"] as const)("every field has a label, and the page its language: %s", (language) => {
  for (const html of pagesIn(language)) {
    for (const [, id] of html.matchAll(/<input id="(\w+)"/g)) expect(html).toContain(`<label for="${id}">`);
    expect(html).toContain(`<html lang="${language}">`);
    // What a person reads: no English words but names and the protocol's own.
    const text = html.replace(/<style>[^]*<\/style>|<pre>.*<\/pre>|<[^>]*>/g, " ").replaceAll(/Kigumi|(?:Alice|Bob|Carol) \w+/g, "");
    expect(/[a-z]{2}/.test(text)).toBe(language === "en");
  }
});

test("the one style is the one that the policy allows, and nothing else is", () => {
  for (const html of [...pagesIn("en"), ...pagesIn("ja")]) {
    const [, style = ""] = /<style>([^]*)<\/style>/.exec(html) ?? [];
    const digest = createHash("sha256").update(style).digest("base64");
    expect(pageHeaders["content-security-policy"]?.split("; ")).toContain(`style-src 'sha256-${digest}'`);
    expect(html).not.toMatch(/<script|\sstyle=|\son\w+=|@import|url\(/);
  }
});
