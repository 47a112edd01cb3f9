/** Signing in and out. Tokens are in this module's memory only: not in any storage, not in the address, not in the document. */
import {
  authorizationUrl,
  discover,
  newSignIn,
  type OidcSettings,
  type PendingSignIn,
  readCallback,
  redeem,
  SignInError,
  type Tokens,
} from "./oidc.ts";

/** Of a sign-in that is under way: no secret of the person's, and of use with the provider's answer only. */
const PENDING = "sign-in";
/** That somebody is signed in in this tab, so that a reload asks the provider without a page of its own. */
const KNOWN = "signed-in";

let tokens: Tokens | undefined;

export async function readSettings(): Promise<OidcSettings> {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`the page's settings are not there: ${answer.status}`);
  return (await answer.json()) as OidcSettings;
}

export async function startSignIn(
  settings: OidcSettings,
  { language, silent = false }: { language: string; silent?: boolean },
): Promise<void> {
  const pending = newSignIn(`${location.origin}/`, location.hash);
  const url = await authorizationUrl(settings, await discover(settings), { pending, language, silent });
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  location.assign(url);
}

/**
 * Ends a sign-in that the provider has answered, or asks it again after a reload.
 *
 * @returns the tokens; `undefined` where nobody is signed in; `"leaving"` where the browser goes to the provider.
 * @throws SignInError where the answer is not to be trusted.
 */
export async function resumeSession(settings: OidcSettings, language: string): Promise<Tokens | "leaving" | undefined> {
  const pending = takePending();
  const query = new URLSearchParams(location.search);
  const wasKnown = sessionStorage.getItem(KNOWN) !== null;
  if (location.search !== "") history.replaceState(null, "", `/${pending?.hash ?? location.hash}`);
  sessionStorage.removeItem(KNOWN);
  try {
    const code = readCallback(settings, query, pending);
    if (code !== undefined && pending !== undefined) {
      tokens = await redeem(settings, await discover(settings), { code, pending });
      sessionStorage.setItem(KNOWN, "yes");
      return tokens;
    }
  } catch (error) {
    // The provider does not know the person any more: no failure, but nobody is signed in.
    if (error instanceof SignInError && error.code === "login_required") return undefined;
    throw error;
  }
  if (!wasKnown) return undefined;
  await startSignIn(settings, { language, silent: true });
  return "leaving";
}

/** Forgets the tokens, and ends the session at the provider too. */
export async function signOut(settings: OidcSettings, language: string): Promise<void> {
  const idToken = tokens?.idToken;
  forget();
  const { end_session_endpoint: endpoint } = await discover(settings);
  if (endpoint === undefined) return location.assign("/");
  const url = new URL(endpoint);
  url.searchParams.set("client_id", settings.clientId);
  url.searchParams.set("post_logout_redirect_uri", `${location.origin}/`);
  url.searchParams.set("ui_locales", language);
  if (idToken !== undefined) url.searchParams.set("id_token_hint", idToken);
  location.assign(url);
}

export function forget(): void {
  tokens = undefined;
  sessionStorage.removeItem(KNOWN);
  sessionStorage.removeItem(PENDING);
}

function takePending(): PendingSignIn | undefined {
  const text = sessionStorage.getItem(PENDING);
  sessionStorage.removeItem(PENDING);
  return text === null ? undefined : (JSON.parse(text) as PendingSignIn);
}
