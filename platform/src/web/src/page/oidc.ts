/** OpenID Connect for a page: authorization code flow with PKCE. Nothing here touches the document; the caller keeps what is secret. */

export interface OidcSettings {
  readonly issuer: string;
  /** Where the provider is reached from a browser. */
  readonly identityProvider: string;
  readonly clientId: string;
}

export interface ProviderMetadata {
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly jwks_uri: string;
  readonly end_session_endpoint?: string;
}

/** What has to be there when the provider sends the browser back. */
export interface PendingSignIn {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
  /** Where the page was. */
  readonly hash: string;
}

export interface Tokens {
  readonly accessToken: string;
  readonly idToken: string;
  readonly subject: string;
}

/** The provider's answer is not one to trust, or a refusal; `code` is its error code. */
export class SignInError extends Error {
  override readonly name = "SignInError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const SKEW_SECONDS = 60;

export function discoveryUrl({ identityProvider }: OidcSettings): string {
  return `${identityProvider}/.well-known/openid-configuration`;
}

/** What the provider says of itself. @throws SignInError where it is another one than the settings name. */
export async function discover(settings: OidcSettings): Promise<ProviderMetadata> {
  const answer = await fetch(discoveryUrl(settings)).catch((cause: unknown) => {
    throw new SignInError("away", String(cause));
  });
  if (!answer.ok) throw new SignInError("discovery", `the provider answered ${answer.status}`);
  const metadata = (await answer.json()) as ProviderMetadata & { readonly issuer?: string };
  if (metadata.issuer !== settings.issuer) throw new SignInError("discovery", "this is another provider");
  const { authorization_endpoint, token_endpoint, jwks_uri, end_session_endpoint = authorization_endpoint } = metadata;
  for (const url of [authorization_endpoint, token_endpoint, jwks_uri, end_session_endpoint]) {
    if (new URL(url).origin !== new URL(settings.identityProvider).origin) throw new SignInError("discovery", "an endpoint is elsewhere");
  }
  return metadata;
}

export function newSignIn(redirectUri: string, hash: string): PendingSignIn {
  return { state: random(), nonce: random(), verifier: random(), redirectUri, hash };
}

/** Where the browser goes to sign in. `silent`: only if the provider knows the person already. */
export async function authorizationUrl(
  settings: OidcSettings,
  metadata: ProviderMetadata,
  { pending, language, silent }: { readonly pending: PendingSignIn; readonly language: string; readonly silent: boolean },
): Promise<string> {
  const url = new URL(metadata.authorization_endpoint);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(pending.verifier));
  const parameters = {
    response_type: "code",
    client_id: settings.clientId,
    redirect_uri: pending.redirectUri,
    scope: "openid profile email",
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: toBase64Url(new Uint8Array(digest)),
    code_challenge_method: "S256",
    ui_locales: language,
    ...(silent && { prompt: "none" }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/**
 * The code with which the provider sent the browser back; `undefined` where it did not.
 *
 * @throws SignInError where the answer is not to this page's question, is another provider's, or is an error.
 */
export function readCallback(settings: OidcSettings, query: URLSearchParams, pending: PendingSignIn | undefined): string | undefined {
  if (!query.has("state")) return undefined;
  if (pending === undefined || query.get("state") !== pending.state) throw new SignInError("state", "the answer is to another question");
  if (query.get("iss") !== settings.issuer) throw new SignInError("issuer", "the answer is another provider's");
  const error = query.get("error");
  if (error !== null) throw new SignInError(error, query.get("error_description") ?? error);
  const code = query.get("code");
  if (code === null) throw new SignInError("code", "the answer has no code");
  return code;
}

/** Gets the tokens for a code, and checks whose they are. */
export async function redeem(
  settings: OidcSettings,
  metadata: ProviderMetadata,
  { code, pending }: { readonly code: string; readonly pending: PendingSignIn },
): Promise<Tokens> {
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: settings.clientId,
    redirect_uri: pending.redirectUri,
    code,
    code_verifier: pending.verifier,
  });
  const answer = await fetch(metadata.token_endpoint, { method: "POST", body });
  if (!answer.ok) throw new SignInError("token", `the provider answered ${answer.status}`);
  const { access_token: accessToken, id_token: idToken } = (await answer.json()) as { access_token?: unknown; id_token?: unknown };
  if (typeof accessToken !== "string" || typeof idToken !== "string") throw new SignInError("token", "the provider gave no tokens");
  const keys = (await (await fetch(metadata.jwks_uri)).json()) as { readonly keys?: readonly Jwk[] };
  const expected = { issuer: settings.issuer, audience: settings.clientId, nonce: pending.nonce };
  return { accessToken, idToken, subject: await checkIdToken(idToken, keys.keys ?? [], expected) };
}

/** A public key of the provider's; ES256 is the only algorithm that is taken. */
export interface Jwk {
  readonly kty?: string;
  readonly kid?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
}

/**
 * Checks an ID token (OpenID Connect Core 3.1.3.7): signature, issuer, audience, time and nonce.
 *
 * @returns its subject. @throws SignInError naming what does not fit.
 */
export async function checkIdToken(
  token: string,
  keys: readonly Jwk[],
  expected: { readonly issuer: string; readonly audience: string; readonly nonce: string },
  nowSeconds = Date.now() / 1_000,
): Promise<string> {
  const [head = "", payload = "", signature = ""] = token.split(".");
  const header = readJson(head);
  const key = keys.find(({ kid, kty, crv }) => kid === header["kid"] && kty === "EC" && crv === "P-256");
  if (header["alg"] !== "ES256" || key === undefined) throw new SignInError("id_token", "the ID token's key is not the provider's");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("jwk", key, algorithm, false, ["verify"]);
  const signed = new TextEncoder().encode(`${head}.${payload}`);
  if (!(await crypto.subtle.verify(algorithm, imported, fromBase64Url(signature), signed))) {
    throw new SignInError("id_token", "the ID token's signature is not the provider's");
  }
  const { iss, aud, exp, iat, nonce, sub } = readJson(payload);
  if (iss !== expected.issuer) throw new SignInError("id_token", "the ID token is another provider's");
  if (aud !== expected.audience) throw new SignInError("id_token", "the ID token is for somebody else");
  if (typeof exp !== "number" || exp + SKEW_SECONDS < nowSeconds) throw new SignInError("id_token", "the ID token has ended");
  if (typeof iat !== "number" || iat - SKEW_SECONDS > nowSeconds) throw new SignInError("id_token", "the ID token is of the future");
  if (nonce !== expected.nonce) throw new SignInError("id_token", "the ID token answers another sign-in");
  if (typeof sub !== "string" || sub === "") throw new SignInError("id_token", "the ID token names nobody");
  return sub;
}

function readJson(part: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(new TextDecoder().decode(fromBase64Url(part))) as Record<string, unknown>;
  } catch {
    throw new SignInError("id_token", "the ID token can't be read");
  }
}

function random(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(32)));
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}
