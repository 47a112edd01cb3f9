import { DerError, expectTag, readBitBytes, readDer, readOid, readSequence, TAG } from "./der.ts";
import { writeBitString, writeDer, writeOid, writeSequence } from "./der-write.ts";
import type { VerifySignature } from "./verify.ts";

const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const MAX_REQUEST_BYTES = 16_384;
const VERSION_1 = Uint8Array.of(TAG.integer, 1, 0);

/**
 * The public key of a certificate request (PKCS #10, RFC 2986) whose own signature is right, as SubjectPublicKeyInfo. Nothing else of the
 * request is read: neither Subject nor attributes. @throws DerError for anything but a request, for more than 16 KiB, for a wrong signature.
 */
export function readRequestKey(request: Uint8Array, verify: VerifySignature): Uint8Array {
  if (request.length > MAX_REQUEST_BYTES) throw new DerError("the request is too large");
  const [signed, algorithm, signature] = readSequence(readDer(request));
  const [version, , publicKey] = readSequence(signed);
  expectTag(version, TAG.integer);
  const key = expectTag(publicKey, TAG.sequence).bytes;
  const isSigned = verify({
    algorithm: readOid(readSequence(algorithm)[0]),
    publicKey: key,
    bytes: expectTag(signed, TAG.sequence).bytes,
    signature: readBitBytes(signature),
  });
  if (!isSigned) throw new DerError("the request's signature is wrong");
  return key;
}

/** A certificate request with an empty Subject and no attributes for a P-256 key; `sign` gives an ECDSA signature (DER) over SHA-256. */
export function writeRequest(publicKey: Uint8Array, sign: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const signed = writeSequence(VERSION_1, writeSequence(), publicKey, writeDer(0xa0));
  return writeSequence(signed, writeSequence(writeOid(ECDSA_WITH_SHA256)), writeBitString(sign(signed)));
}
