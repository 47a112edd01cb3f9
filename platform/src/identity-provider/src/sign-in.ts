import { createHash, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import { CallerError } from "@platform/service-kit";
import * as z from "zod";
import { CLI_CLIENT, CLI_REDIRECT, ISSUER, RESOURCE } from "./settings.ts";

export interface SignInOptions {
  readonly user: string;
  /** Demo users have none. */
  readonly password?: string;
  /** Makes the account first. */
  readonly register?: { readonly name: string; readonly email: string };
  /** Where the provider listens on this machine. */
  readonly port: number;
  /** PEM of the authority that signed the provider's certificate. */
  readonly ca: string;
}

const TokenResponse = z.object({ access_token: z.string() });
const MAX_STEPS = 10;

/**
 * Gets an access token as a browser would: authorization code flow with PKCE, signing in or registering on the provider's pages.
 *
 * @throws where the provider can't be reached, does not know the user, or answers what the flow does not expect.
 */
export async function signIn(options: SignInOptions): Promise<string> {
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(16).toString("base64url");
  const code = await authorize(options, { state, challenge: createHash("sha256").update(verifier).digest("base64url") });
  const form = { grant_type: "authorization_code", client_id: CLI_CLIENT, redirect_uri: CLI_REDIRECT, code, code_verifier: verifier };
  const answer = await send(options, "POST", "/token", new Map(), new URLSearchParams(form).toString());
  if (answer.status !== 200) throw new Error(`the token endpoint answered ${answer.status}: ${errorOf(answer.body)}`);
  return TokenResponse.parse(JSON.parse(answer.body)).access_token;
}

/** Follows the provider's redirects, filling in its form, up to the one that carries the code. */
async function authorize(options: SignInOptions, { state, challenge }: { state: string; challenge: string }): Promise<string> {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: CLI_CLIENT,
    redirect_uri: CLI_REDIRECT,
    scope: "openid profile email",
    resource: RESOURCE,
    code_challenge: challenge,
    code_challenge_method: "S256",
    state,
  });
  const cookies = new Map<string, string>();
  let path = `/auth?${query}`;
  for (let step = 0; step < MAX_STEPS; step++) {
    const isForm = path.startsWith("/interaction/");
    const answer = isForm ? await sendForm(options, path, cookies) : await send(options, "GET", path, cookies);
    const { location } = answer.headers;
    if (location === undefined)
      throw new CallerError(`signing in as ${options.user} failed with ${answer.status}: ${errorOf(answer.body)}`);
    const target = new URL(location, ISSUER);
    if (target.origin !== ISSUER) return readCode(target, state);
    path = target.pathname + target.search;
  }
  throw new Error("the provider redirects in a circle");
}

/** What a person would type on the page that signs in, or on the one behind it that registers. */
async function sendForm(options: SignInOptions, path: string, cookies: Map<string, string>): Promise<Answer> {
  const { user, password, register } = options;
  const form = new URLSearchParams({ user, ...(password !== undefined && { password }), ...register });
  return await send(options, "POST", register === undefined ? path : `${path}/register`, cookies, form.toString());
}

function readCode(target: URL, state: string): string {
  const code = target.searchParams.get("code");
  if (code !== null && target.searchParams.get("state") === state) return code;
  throw new CallerError(
    `the provider refused: ${target.searchParams.get("error_description") ?? target.searchParams.get("error") ?? "no code"}`,
  );
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request to the provider's port, under its own name. Cookies are kept in `cookies`. */
async function send(options: SignInOptions, method: string, path: string, cookies: Map<string, string>, form?: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { host } = new URL(ISSUER);
  const headers = {
    host,
    ...(cookies.size > 0 && { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") }),
    ...(form !== undefined && { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(form) }),
  };
  const request = httpsRequest(
    {
      host: "127.0.0.1",
      port: options.port,
      servername: host,
      ca: options.ca,
      method,
      path,
      headers,
      signal: AbortSignal.timeout(10_000),
      agent: false,
    },
    (response) => {
      for (const line of response.headers["set-cookie"] ?? []) keep(cookies, line);
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      response.on("error", reject);
    },
  );
  request.on("error", (cause) => reject(new CallerError(`no identity provider on 127.0.0.1:${options.port}: ${cause.message}`, { cause })));
  request.end(form);
  return await promise;
}

function keep(cookies: Map<string, string>, line: string): void {
  const [pair = ""] = line.split(";");
  const equals = pair.indexOf("=");
  const value = pair.slice(equals + 1);
  if (value === "") cookies.delete(pair.slice(0, equals));
  else cookies.set(pair.slice(0, equals), value);
}

/** What the provider says went wrong: the alert of its page, its error description, or the first line of what it sent. */
function errorOf(body: string): string {
  const [, alert] = /<p role="alert">([^<]*)</.exec(body) ?? [];
  if (alert !== undefined) return alert;
  try {
    const { error, error_description } = JSON.parse(body) as Record<string, unknown>;
    return String(error_description ?? error);
  } catch {
    return body.split("\n")[0]?.slice(0, 200) ?? "";
  }
}
