import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { signatureHash, type VerifySignature } from "../base/x509/index.ts";

/** Checks ECDSA and RSA signatures with keys that are strong enough; false for every other algorithm, key or damaged input. */
export const verifySignature: VerifySignature = ({ algorithm, publicKey, bytes, signature }) => {
  const hash = signatureHash(algorithm);
  if (hash === undefined) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    return isStrongKey(key) && verify(hash, bytes, key, signature);
  } catch {
    return false;
  }
};

const STRONG_CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/** NIST curves from P-256 up, and RSA of 2048 to 8192 bits (more would only cost the verifier time). */
export function isStrongKey(key: KeyObject): boolean {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec") return STRONG_CURVES.has(namedCurve ?? "");
  return key.asymmetricKeyType === "rsa" && modulusLength >= 2048 && modulusLength <= 8192;
}
