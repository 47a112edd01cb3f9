/** Reading and judging X.509 certificates: bytes come in, plain data and verdicts go out. No keys, no cryptography, no clock here. */
export {
  type Certificate,
  EXTENDED_KEY_USAGE,
  KEY_USAGE,
  type NameConstraints,
  readCertificate,
  type SubjectNames,
} from "./certificate.ts";
export { DerError } from "./der.ts";
export { writeAscii, writeDer, writeOid, writeSequence } from "./der-write.ts";
export { readPemBlocks, writePem } from "./pem.ts";
export { readRequestKey, writeRequest } from "./request.ts";
export {
  type ChainToVerify,
  type ChainVerdict,
  equalBytes,
  isSpiffeId,
  signatureHash,
  type VerifySignature,
  verifyChain,
} from "./verify.ts";
