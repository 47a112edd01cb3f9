import { randomUUID } from "node:crypto";
import type { SigningKeys } from "@platform/setup";
import { importJWK, SignJWT } from "jose";
import { findDemoUser } from "./account.ts";
import { AUDIENCE, CLI_CLIENT, ISSUER } from "./settings.ts";

export interface MintOptions {
  readonly user: string;
  readonly signingKeys: SigningKeys;
  /** Seconds from now to the token's end; negative for one that has ended. */
  readonly ttlSeconds: number;
  readonly audience?: string;
  readonly issuer?: string;
}

/**
 * Signs a token that the provider would not give (ended, for another audience, of another issuer) with the provider's own key, to see it
 * refused. Only whoever can read the signing keys can do this.
 */
export async function mintToken(options: MintOptions): Promise<string> {
  const user = findDemoUser(options.user);
  if (user === undefined) throw new Error(`no demo user ${options.user}`);
  const [key] = options.signingKeys.keys;
  if (key === undefined) throw new Error("no signing key");
  const now = Math.floor(Date.now() / 1_000);
  const { role, name, email } = user;
  return await new SignJWT({ role, name, email, client_id: CLI_CLIENT, scope: "" })
    .setProtectedHeader({ alg: "ES256", kid: key.kid, typ: "at+jwt" })
    .setSubject(user.sub)
    .setIssuer(options.issuer ?? ISSUER)
    .setAudience(options.audience ?? AUDIENCE)
    .setIssuedAt(Math.min(now, now + options.ttlSeconds - 3_600))
    .setExpirationTime(now + options.ttlSeconds)
    .setJti(randomUUID())
    .sign(await importJWK(key, "ES256"));
}
