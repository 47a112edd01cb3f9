import { demoUsers } from "./demo-users.ts";

/** The page on which somebody signs in: a demo user by a button, everyone else by name and password. */
export function signInPage(path: string, message?: string): string {
  const buttons = demoUsers.map(({ sub, name, role }) => `<button name="user" value="${escape(sub)}">${escape(name)} (${role})</button>`);
  return page(
    "Sign in",
    `${alert(message)}<form method="post" action="${escape(path)}">
<p>${field("user", "User name", "text", "username")}</p>
<p>${field("password", "Password", "password", "current-password")}</p>
<p><button>Sign in</button></p>
</form>
<p><a href="${escape(path)}/register">No account yet? Register</a></p>
<h2>Demo users</h2>
<form method="post" action="${escape(path)}">
${buttons.join("\n")}
</form>`,
  );
}

/** The page on which an account is made; what was typed before is there again, but for the password. */
export function registrationPage(path: string, given: Readonly<Record<string, string>> = {}, message?: string): string {
  return page(
    "Register",
    `${alert(message)}<form method="post" action="${escape(path)}">
<p>${field("user", "User name", "text", "username", given["user"])}</p>
<p>${field("name", "Name", "text", "name", given["name"])}</p>
<p>${field("email", "Email", "email", "email", given["email"])}</p>
<p>${field("password", "Password, at least 12 characters", "password", "new-password")}</p>
<p><button>Register and sign in</button></p>
</form>`,
  );
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
}

function field(name: string, label: string, type: string, autocomplete: string, value = ""): string {
  return `<label for="${name}">${label}</label> <input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" required value="${escape(value)}">`;
}

function alert(message: string | undefined): string {
  return message === undefined ? "" : `<p role="alert">${escape(message)}</p>\n`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
