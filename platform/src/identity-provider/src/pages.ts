import { demoUsers } from "./demo-users.ts";
import { escapeHtml, htmlPage } from "./html-page.ts";
import { type Language, type TextKey, textOf } from "./text.ts";

/** The page on which somebody signs in: a demo user by a button, everyone else by name and password. */
export function signInPage(language: Language, path: string, problem?: TextKey): string {
  const buttons = demoUsers.map(
    ({ sub, name, role }) =>
      `<button class="plain" name="user" value="${escapeHtml(sub)}">${escapeHtml(name)} (${textOf(language, role)})</button>`,
  );
  return htmlPage(
    language,
    "signIn",
    `${alert(language, problem === undefined ? [] : [problem])}<form method="post" action="${escapeHtml(path)}">
<p>${field(language, "user", "userName", "text", "username")}</p>
<p>${field(language, "password", "password", "password", "current-password")}</p>
<p><button>${textOf(language, "signIn")}</button></p>
</form>
<p><a href="${escapeHtml(path)}/register">${textOf(language, "toRegistration")}</a></p>
<h2>${textOf(language, "demoUsers")}</h2>
<form method="post" action="${escapeHtml(path)}" class="choices">
${buttons.join("\n")}
</form>`,
  );
}

/** The page on which an account is made; what was typed before is there again, but for the password. */
export function registrationPage(
  language: Language,
  path: string,
  given: Readonly<Record<string, string>> = {},
  problems: readonly TextKey[] = [],
): string {
  return htmlPage(
    language,
    "register",
    `${alert(language, problems)}<form method="post" action="${escapeHtml(path)}">
<p>${field(language, "user", "userName", "text", "username", given["user"])}</p>
<p>${field(language, "name", "name", "text", "name", given["name"])}</p>
<p>${field(language, "email", "email", "email", "email", given["email"])}</p>
<p>${field(language, "password", "newPassword", "password", "new-password")}</p>
<p><button>${textOf(language, "registerAndSignIn")}</button></p>
</form>`,
  );
}

/** Asks whether somebody wants to sign out. `form` is the provider's own, with its secret; the buttons belong to it. */
export function signOutPage(language: Language, form: string): string {
  return htmlPage(
    language,
    "signOut",
    `<p>${textOf(language, "signOutQuestion")}</p>
${form}
<div class="choices">
<button form="op.logoutForm" name="logout" value="yes">${textOf(language, "signOutYes")}</button>
<button form="op.logoutForm" class="plain">${textOf(language, "signOutNo")}</button>
</div>`,
  );
}

export function signedOutPage(language: Language): string {
  return htmlPage(language, "signedOut", `<p>${textOf(language, "signedOutText")}</p>`);
}

/** Says what went wrong; `details` are the protocol's own words, for whoever has to mend it. */
export function failurePage(language: Language, problem: TextKey | undefined, details: readonly string[] = []): string {
  const lines = details.length === 0 ? "" : `<pre>${details.map(escapeHtml).join("\n")}</pre>`;
  return htmlPage(language, "failed", alert(language, problem === undefined ? [] : [problem]) + lines);
}

function field(language: Language, name: string, label: TextKey, type: string, autocomplete: string, value = ""): string {
  return `<label for="${name}">${textOf(language, label)}</label> <input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" required value="${escapeHtml(value)}">`;
}

function alert(language: Language, problems: readonly TextKey[]): string {
  const text = problems.map((problem) => textOf(language, problem)).join("; ");
  return text === "" ? "" : `<p role="alert">${escapeHtml(text)}</p>\n`;
}
