import { exportJWK, generateKeyPair, type JWK } from "jose";
import * as z from "zod";
import { readIfThere, writePrivate } from "./files.ts";
import type { Places } from "./places.ts";
import { randomBytes } from "node:crypto";

const SigningKeys = z.object({
  keys: z
    .array(z.looseObject({ kid: z.string(), kty: z.literal("EC"), crv: z.literal("P-256"), alg: z.literal("ES256"), d: z.string() }))
    .min(1),
  cookieSecret: z.string().min(32),
});

/** The identity provider's private keys, and the secret that its cookies are signed with. */
export interface SigningKeys {
  readonly keys: readonly (JWK & { readonly kid: string })[];
  readonly cookieSecret: string;
}

/** Finds the identity provider's keys, or makes them. */
export async function openSigningKeys(places: Places): Promise<SigningKeys> {
  const text = readIfThere(places.signingKeys);
  if (text !== undefined) return SigningKeys.parse(JSON.parse(text));
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: randomBytes(8).toString("hex"), alg: "ES256", use: "sig" };
  const made = { keys: [key], cookieSecret: randomBytes(32).toString("base64url") };
  writePrivate(places.signingKeys, `${JSON.stringify(made)}\n`);
  return made;
}

/** Reads the keys that setup made. @throws where it has not run. */
export function readSigningKeys(places: Places): SigningKeys {
  const text = readIfThere(places.signingKeys);
  if (text === undefined) throw new Error(`no ${places.signingKeys}: run "node scripts/setup.ts" first`);
  return SigningKeys.parse(JSON.parse(text));
}
