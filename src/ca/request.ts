import { createPublicKey } from "node:crypto";
import { DerError, readPemBlocks, readRequestKey } from "../base/x509/index.ts";
import { MeshError } from "../model/error.ts";
import { isStrongKey, verifySignature } from "./signature.ts";

const MAX_PEM_CHARACTERS = 24_000;

/**
 * The public key (SubjectPublicKeyInfo) of a certificate request in PEM, whose signature says that the sender holds its private key. Nothing
 * else of a request counts. @throws MeshError `refused`; the message names no part of the request.
 */
export function readRequestedKey(csr: string): Uint8Array {
  if (csr.length > MAX_PEM_CHARACTERS) throw new MeshError("refused", "the certificate request is too large");
  try {
    const blocks = [...readPemBlocks(csr, "CERTIFICATE REQUEST"), ...readPemBlocks(csr, "NEW CERTIFICATE REQUEST")];
    const [request, second] = blocks;
    if (request === undefined || second !== undefined) throw new DerError("there must be one request");
    const publicKey = readRequestKey(request, verifySignature);
    checkPublicKey(publicKey);
    return publicKey;
  } catch (thrown) {
    if (thrown instanceof DerError) throw new MeshError("refused", "the certificate request can't be used", { cause: thrown });
    throw thrown;
  }
}

/** @throws MeshError `refused` for a key that nothing is signed for. */
export function checkPublicKey(publicKey: Uint8Array): void {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    if (isStrongKey(key)) return;
  } catch {
    // A key that can't be read is refused like a weak one.
  }
  throw new MeshError("refused", "the public key is neither ECDSA from P-256 up nor RSA from 2048 bits up");
}
