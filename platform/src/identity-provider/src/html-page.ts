import { createHash } from "node:crypto";
import { type Language, type TextKey, textOf } from "./text.ts";

/** As the platform's page looks, which these pages stand between. */
const STYLE = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1c2526, #e7ecec);
  --paper: light-dark(#fbfaf6, #151b1c);
  --soft: light-dark(#eceae2, #232c2d);
  --line: light-dark(#747b7a, #8d9796);
  --accent: light-dark(#1d4d4f, #8fd0cf);
  --on-accent: light-dark(#ffffff, #10201f);
  --wrong: light-dark(#9b1c1c, #ff9d93);
}
* { box-sizing: border-box; }
body {
  margin: 0 auto;
  max-width: 28rem;
  padding: 0 1rem 4rem;
  background: var(--paper);
  color: var(--ink);
  font: 1rem / 1.6 system-ui, "Noto Sans JP", "Hiragino Sans", sans-serif;
}
header { padding: 0.75rem 0; border-bottom: 1px solid var(--line); }
.brand { margin: 0; font-weight: 700; letter-spacing: 0.08em; }
main { margin-top: 1.5rem; padding: 0.25rem 1.5rem 1.5rem; border-radius: 0.5rem; background: var(--soft); }
h1 { font-size: 1.6rem; }
h2 { margin-top: 2rem; font-size: 1.1rem; }
a { color: var(--accent); }
form p, .choices { display: grid; gap: 0.5rem; margin: 0.75rem 0; }
label { display: grid; gap: 0.25rem; }
button, input {
  width: 100%;
  min-height: 2.5rem;
  padding: 0.35rem 0.75rem;
  border: 1px solid var(--line);
  border-radius: 0.35rem;
  background: var(--paper);
  color: inherit;
  font: inherit;
}
button { border-color: var(--accent); background: var(--accent); color: var(--on-accent); cursor: pointer; }
button.plain { background: none; color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
[role="alert"] { color: var(--wrong); font-weight: 600; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
`;

/** What every page is sent with. The answer to a form is a redirect to the client, wherever that is; nobody may frame a page, and nothing runs in it. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": [
    "default-src 'none'",
    `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
    "form-action *",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join("; "),
};

/** A whole document around `body`, which is HTML. */
export function htmlPage(language: Language, title: TextKey, body: string): string {
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${textOf(language, title)} · Kigumi</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<p class="brand">Kigumi</p>
</header>
<main>
<h1>${textOf(language, title)}</h1>
${body}
</main>
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
