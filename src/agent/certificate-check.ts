import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { type ChainVerdict, equalBytes, readPemBlocks, signatureHash, verifyChain } from "../base/x509/index.ts";
import { formatIdentity, type Identity } from "../model/identity.ts";

/** A certificate as the agent got it: PEM, the leaf first, and the roots to trust. */
export interface CertificateToCheck {
  readonly chainPem: readonly string[];
  readonly rootsPem: string;
  readonly key: KeyObject;
  readonly identity: Identity;
  readonly nowMs: number;
}

export type CertificateCheck =
  | { readonly ok: true; readonly notBeforeMs: number; readonly notAfterMs: number }
  | { readonly ok: false; readonly reason: string };

/**
 * What Envoy does not check before it serves a certificate: the chain up to a trusted root, the times, that it is for this identity and
 * no other, and that the key is its own. An expired one would be served without complaint.
 */
export function checkCertificate(given: CertificateToCheck): CertificateCheck {
  const verdict = verifyPem(given.chainPem.join(""), given.rootsPem, given.nowMs);
  if (!verdict.ok) return verdict;
  if (verdict.uri !== formatIdentity(given.identity)) return { ok: false, reason: `it is for ${verdict.uri}` };
  const own = createPublicKey(given.key).export({ format: "der", type: "spki" });
  if (!equalBytes(own, verdict.leaf.publicKey)) return { ok: false, reason: "it is for another key" };
  return { ok: true, notBeforeMs: verdict.leaf.notBeforeMs, notAfterMs: verdict.leaf.notAfterMs };
}

/** Verifies a PEM chain, leaf first, against PEM roots. */
export function verifyPem(chainPem: string, rootsPem: string, nowMs: number): ChainVerdict {
  const chain = readPemBlocks(chainPem, "CERTIFICATE");
  const roots = readPemBlocks(rootsPem, "CERTIFICATE");
  return verifyChain({ chain, roots, nowMs, verifySignature });
}

function verifySignature(signed: { algorithm: string; publicKey: Uint8Array; bytes: Uint8Array; signature: Uint8Array }): boolean {
  const hash = signatureHash(signed.algorithm);
  if (hash === undefined) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(signed.publicKey), format: "der", type: "spki" });
    return verify(hash, signed.bytes, key, signed.signature);
  } catch {
    return false;
  }
}
