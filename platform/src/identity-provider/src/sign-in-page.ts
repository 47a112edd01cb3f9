import type { IncomingMessage, ServerResponse } from "node:http";
import type { Provider } from "oidc-provider";
import { type Account, type Accounts, findDemoUser, RegistrationError } from "./account.ts";
import { registrationPage, signInPage } from "./pages.ts";

const PATH = /^(\/interaction\/[\w-]{1,64})(\/register)?$/;
const MAX_BODY = 4_096;

/** True for the requests that `answerSignIn` is for. */
export function isSignIn(request: IncomingMessage): boolean {
  return PATH.test(pathOf(request));
}

/** The pages on which somebody signs in or registers, and what their forms send. Whoever registers is signed in. */
export async function answerSignIn(
  { provider, accounts }: { readonly provider: Provider; readonly accounts: Accounts },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(request);
  const [, interaction = "", register] = PATH.exec(path) ?? [];
  // Refuses whoever was not sent here by a sign-in that is still open: its cookie is needed.
  await provider.interactionDetails(request, response);
  if (request.method === "GET") return sendPage(response, 200, register === undefined ? signInPage(interaction) : registrationPage(path));
  if (request.method !== "POST") return sendPage(response, 405, "only GET and POST");
  const form = Object.fromEntries(new URLSearchParams(await readBody(request)));
  const outcome = register === undefined ? await trySignIn(accounts, form, interaction) : await tryRegister(accounts, form, path);
  if ("page" in outcome) return sendPage(response, outcome.status, outcome.page);
  await provider.interactionFinished(request, response, { login: { accountId: outcome.sub } }, { mergeWithLastSubmission: false });
}

type Form = Readonly<Record<string, string>>;
type Outcome = Account | { readonly status: number; readonly page: string };

async function trySignIn(accounts: Accounts, { user = "", password }: Form, path: string): Promise<Outcome> {
  const demo = findDemoUser(user);
  if (demo !== undefined) return demo;
  if (password === undefined) return { status: 400, page: signInPage(path, "no such user") };
  const found = await accounts.signIn(user, password);
  if (found === "wait") return { status: 429, page: signInPage(path, "too many wrong passwords: wait half a minute") };
  return found === "wrong" ? { status: 403, page: signInPage(path, "user name or password is wrong") } : found;
}

async function tryRegister(accounts: Accounts, form: Form, path: string): Promise<Outcome> {
  const { user = "", name = "", email = "", password = "" } = form;
  try {
    return await accounts.register({ user, name, email, password });
  } catch (error) {
    if (!(error instanceof RegistrationError)) throw error;
    return { status: error.status, page: registrationPage(path, form, error.message) };
  }
}

function sendPage(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    // The answer to a form is a redirect to the client, wherever that is; nobody may frame the page.
    "content-security-policy": "default-src 'none'; form-action *; frame-ancestors 'none'; base-uri 'none'",
  });
  response.end(html);
}

function pathOf(request: IncomingMessage): string {
  return new URL(request.url ?? "/", "http://localhost").pathname;
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_BODY) throw new Error("the form is too long");
  }
  return text;
}
