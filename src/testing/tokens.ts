import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A key pair for ES256. */
export interface TestKey {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function testKey(): TestKey {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** The key's public half as a JSON Web Key Set. */
export function jwksOf({ publicKey }: TestKey): string {
  return JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k", alg: "ES256", use: "sig" }] });
}

/** Signed by that key, whatever the header says of the algorithm. */
export function tokenOf(claims: Readonly<Record<string, unknown>>, { privateKey }: TestKey, alg = "ES256"): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg, kid: "k", typ: "JWT" })}.${part(claims)}`;
  return `${text}.${sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
