import { createHash, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject, sign, verify } from "node:crypto";
import type { TokenSpec } from "./document.ts";

interface Issuer {
  readonly keyId: string;
  readonly key: KeyObject;
  /** Nobody trusts it, though it goes by the same id. */
  readonly wrongKey: KeyObject;
  /** JWK Set of the public key (RFC 7517). */
  readonly jwks: string;
}

/** Test keys of token issuers: made when first asked for, one for each issuer, and gone with the process. */
export class TestIssuers {
  readonly #known = new Map<string, Issuer>();

  jwksOf(issuer: string): string {
    return this.#of(issuer).jwks;
  }

  /** A compact JWS (RFC 7515) as the test describes it; times are seconds since 1970. */
  sign(token: TokenSpec, nowMs: number): string {
    const { keyId, key, wrongKey } = this.#of(token.issuer);
    const isUnsigned = token.signedBy === "none";
    const header = isUnsigned ? { alg: "none", typ: "JWT" } : { alg: "ES256", typ: "JWT", kid: keyId };
    const claims = {
      iss: token.issuer,
      ...(token.subject !== undefined && { sub: token.subject }),
      ...(token.audiences !== undefined && { aud: token.audiences }),
      iat: seconds(nowMs + Math.min(0, token.notBeforeMs)),
      nbf: seconds(nowMs + token.notBeforeMs),
      exp: seconds(nowMs + token.expiresInMs),
      ...token.claims,
    };
    const signed = `${encode(header)}.${encode(claims)}`;
    if (isUnsigned) return `${signed}.`;
    const signature = sign("sha256", Buffer.from(signed), {
      key: token.signedBy === "wrong-key" ? wrongKey : key,
      dsaEncoding: "ieee-p1363",
    });
    return `${signed}.${signature.toString("base64url")}`;
  }

  #of(issuer: string): Issuer {
    const known = this.#known.get(issuer);
    if (known !== undefined) return known;
    const keyId = createHash("sha256").update(issuer).digest("hex").slice(0, 16);
    const [key, wrongKey] = [makeKey(), makeKey()];
    const jwk = createPublicKey(key).export({ format: "jwk" });
    const made = { keyId, key, wrongKey, jwks: JSON.stringify({ keys: [{ ...jwk, kid: keyId, use: "sig", alg: "ES256" }] }) };
    this.#known.set(issuer, made);
    return made;
  }
}

function makeKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** Node's parameters for the signature algorithms of RFC 7518 and RFC 8037 that a proxy takes; RSA's two paddings by number. */
const ALGORITHMS: Readonly<
  Record<string, { readonly hash: string | null; readonly type: string; readonly padding?: number; readonly saltLength?: number }>
> = {
  ES256: { hash: "sha256", type: "EC" },
  ES384: { hash: "sha384", type: "EC" },
  ES512: { hash: "sha512", type: "EC" },
  RS256: { hash: "sha256", type: "RSA", padding: 1 },
  RS384: { hash: "sha384", type: "RSA", padding: 1 },
  RS512: { hash: "sha512", type: "RSA", padding: 1 },
  PS256: { hash: "sha256", type: "RSA", padding: 6, saltLength: 32 },
  PS384: { hash: "sha384", type: "RSA", padding: 6, saltLength: 48 },
  PS512: { hash: "sha512", type: "RSA", padding: 6, saltLength: 64 },
  EdDSA: { hash: null, type: "OKP" },
};

/** Whether one of a JWK Set's keys signed a token; a damaged token or set is a bad signature. */
export function verifyToken(jwks: string, token: string): "ok" | "bad-signature" {
  try {
    const [header = "", payload = "", signature = ""] = token.split(".");
    const { alg = "", kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as { readonly alg?: string; readonly kid?: string };
    const algorithm = Object.hasOwn(ALGORITHMS, alg) ? ALGORITHMS[alg] : undefined;
    if (algorithm === undefined) return "bad-signature";
    const { keys } = JSON.parse(jwks) as { readonly keys: readonly (JsonWebKey & { readonly kid?: string })[] };
    const { hash, type, ...padding } = algorithm;
    const usable = keys.filter(
      (key) => key.kty === type && (key.alg ?? alg) === alg && (kid === undefined || key.kid === undefined || key.kid === kid),
    );
    const isSigned = usable.some((jwk) =>
      verify(
        hash,
        Buffer.from(`${header}.${payload}`),
        {
          key: createPublicKey({ key: jwk as JsonWebKey, format: "jwk" }),
          ...(type === "EC" && { dsaEncoding: "ieee-p1363" as const }),
          ...padding,
        },
        Buffer.from(signature, "base64url"),
      ),
    );
    return isSigned ? "ok" : "bad-signature";
  } catch {
    return "bad-signature";
  }
}
