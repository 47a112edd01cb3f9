import { expect, test } from "vitest";
import { registrationPage, signInPage } from "./pages.ts";

test("what was typed is shown again as text, never as markup, and the password not at all", () => {
  const html = registrationPage("/interaction/x/register", { user: '"><script>', name: "<b>", password: "secret-word" }, "<i>no</i>");
  expect(html).toContain('value="&quot;&gt;&lt;script&gt;"');
  expect(html).toContain('<p role="alert">&lt;i&gt;no&lt;/i&gt;</p>');
  expect(html).not.toMatch(/<script|<b>|<i>|secret-word/);
});

test("every field has a label, and the page a language", () => {
  for (const html of [signInPage("/interaction/x"), registrationPage("/interaction/x/register")]) {
    const ids = [...html.matchAll(/<input id="(\w+)"/g)].map(([, id]) => id);
    for (const id of ids) expect(html).toContain(`<label for="${id}">`);
    expect(html).toContain('<html lang="en">');
  }
});
