import type { IncomingMessage, ServerResponse } from "node:http";
import type { Provider } from "oidc-provider";
import { type Account, type Accounts, findDemoUser, RegistrationError } from "./account.ts";
import { pageHeaders } from "./html-page.ts";
import { failurePage, registrationPage, signInPage } from "./pages.ts";
import { languageOf, type TextKey } from "./text.ts";

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
  const { params } = await provider.interactionDetails(request, response);
  const language = languageOf(params["ui_locales"], request.headers["accept-language"]);
  const pages: Pages = {
    signIn: (problem) => signInPage(language, interaction, problem),
    registration: (form, problems) => registrationPage(language, path, form, problems),
  };
  if (request.method === "GET") return sendPage(response, 200, register === undefined ? pages.signIn() : pages.registration());
  if (request.method !== "POST") return sendPage(response, 405, failurePage(language, "onlyGetAndPost"));
  const form = Object.fromEntries(new URLSearchParams(await readBody(request)));
  const outcome = register === undefined ? await trySignIn(accounts, form, pages) : await tryRegister(accounts, form, pages);
  if ("page" in outcome) return sendPage(response, outcome.status, outcome.page);
  await provider.interactionFinished(request, response, { login: { accountId: outcome.sub } }, { mergeWithLastSubmission: false });
}

/** Says that a sign-in is over, or was never begun in this browser. */
export function answerEnded(request: IncomingMessage, response: ServerResponse): void {
  sendPage(response, 400, failurePage(languageOf(undefined, request.headers["accept-language"]), "ended"));
}

interface Pages {
  readonly signIn: (problem?: TextKey) => string;
  readonly registration: (form?: Form, problems?: readonly TextKey[]) => string;
}

type Form = Readonly<Record<string, string>>;
type Outcome = Account | { readonly status: number; readonly page: string };

async function trySignIn(accounts: Accounts, { user = "", password }: Form, pages: Pages): Promise<Outcome> {
  const demo = findDemoUser(user);
  if (demo !== undefined) return demo;
  if (password === undefined) return { status: 400, page: pages.signIn("noSuchUser") };
  const found = await accounts.signIn(user, password);
  if (found === "wait") return { status: 429, page: pages.signIn("mustWait") };
  return found === "wrong" ? { status: 403, page: pages.signIn("wrong") } : found;
}

async function tryRegister(accounts: Accounts, form: Form, pages: Pages): Promise<Outcome> {
  const { user = "", name = "", email = "", password = "" } = form;
  try {
    return await accounts.register({ user, name, email, password });
  } catch (error) {
    if (!(error instanceof RegistrationError)) throw error;
    return { status: error.status, page: pages.registration(form, error.problems) };
  }
}

function sendPage(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, pageHeaders).end(html);
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
