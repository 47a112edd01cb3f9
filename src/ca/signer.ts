import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Certificate, DerError, equalBytes, KEY_USAGE, readCertificate, readPemBlocks } from "../base/x509/index.ts";
import { MeshError } from "../model/error.ts";
import { FILES, readPrivate, readPrivateKey } from "./files.ts";
import { DEVELOPMENT_ORGANISATION, type Signer } from "./issue.ts";
import { verifySignature } from "./signature.ts";

/** The signing intermediate with what is above it. */
export interface LoadedSigner extends Signer {
  readonly certificate: Certificate;
  /** PEM of the certificates between the signer and a root. */
  readonly abovePem: readonly string[];
  readonly rootsPem: readonly string[];
  readonly isDevelopment: boolean;
}

/**
 * Reads the signing intermediate of a folder and checks it against its roots: signatures, validity, cA, KeyUsage, pathLen, that its name
 * constraints allow the trust domain, and that the key is its own.
 * @throws MeshError `refused` where it may not sign, `io` where a file is missing, damaged or readable by others.
 */
export function loadSigner(dir: string, trustDomain: string, nowMs: number): LoadedSigner {
  const rootsPem = splitPem(readPrivate(dir, FILES.roots));
  const [certificatePem, ...abovePem] = splitPem(readPrivate(dir, FILES.intermediate));
  const key = readPrivateKey(dir, FILES.intermediateKey);
  if (certificatePem === undefined || rootsPem.length === 0) throw damaged(dir);
  try {
    const [certificate, ...above] = [certificatePem, ...abovePem].map(readPem);
    if (certificate === undefined) throw damaged(dir);
    const roots = rootsPem.map(readPem);
    const fault =
      checkKey(certificate, key) ?? checkSigner(certificate, trustDomain, nowMs) ?? checkAbove(certificate, above, roots, nowMs);
    if (fault !== undefined) {
      throw new MeshError("refused", `the signing certificate in ${dir} can't be used: ${fault}`, {
        help: "put in one that the enterprise's authority signed for this trust domain, with its key",
      });
    }
    const isDevelopment = existsSync(join(dir, FILES.developmentMark)) || [certificate, ...above, ...roots].some(isDevelopmentMade);
    return { certificatePem, key, certificate, abovePem, rootsPem, isDevelopment };
  } catch (thrown) {
    if (thrown instanceof DerError) throw damaged(dir, thrown);
    throw thrown;
  }
}

function damaged(dir: string, cause?: unknown): MeshError {
  return new MeshError("io", `the certificates in ${dir} are damaged`, { help: "restore the folder from a backup", cause });
}

/** Each certificate of a PEM text as a text of its own. */
function splitPem(text: string): readonly string[] {
  return (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((pem) => `${pem}\n`);
}

function readPem(pem: string): Certificate {
  const [der] = readPemBlocks(pem, "CERTIFICATE");
  if (der === undefined) throw new DerError("there is no certificate");
  return readCertificate(der);
}

function checkKey(certificate: Certificate, key: KeyObject): string | undefined {
  const own = createPublicKey(key).export({ format: "der", type: "spki" });
  return equalBytes(own, certificate.publicKey) ? undefined : "the key is not its own";
}

function checkSigner(certificate: Certificate, trustDomain: string, nowMs: number): string | undefined {
  if (equalBytes(certificate.subject, certificate.issuer)) return "it is self-signed";
  const constraints = certificate.nameConstraints;
  const permitted = constraints?.permittedUris ?? [];
  const allowed = (tree: string) => tree === trustDomain || (tree.startsWith(".") && trustDomain.endsWith(tree));
  if (permitted.length > 0 && !permitted.some(allowed)) return `its name constraints do not allow ${trustDomain}`;
  if (constraints?.excludedUris.some(allowed) === true) return `its name constraints exclude ${trustDomain}`;
  if (constraints?.hasOthers === true) return "it has name constraints of a kind that is not understood";
  return checkAuthority(certificate, nowMs);
}

function checkAuthority(certificate: Certificate, nowMs: number): string | undefined {
  if (!certificate.isAuthority || !certificate.basicConstraintsCritical) return "it is no certificate authority";
  if (certificate.keyUsage?.has(KEY_USAGE.keyCertSign) !== true) return "its KeyUsage does not let it sign certificates";
  if (nowMs < certificate.notBeforeMs) return "it is not valid yet";
  if (nowMs >= certificate.notAfterMs) return "it has expired";
  return certificate.unknownCritical.length > 0 ? "it has a critical extension that is not known" : undefined;
}

/** Walks from the signer up to a root, by the order of the file. */
function checkAbove(signer: Certificate, above: readonly Certificate[], roots: readonly Certificate[], nowMs: number): string | undefined {
  let issued = signer;
  for (const [depth, issuer] of above.entries()) {
    if (!isIssuedBy(issued, issuer)) return "the certificate above it did not sign it";
    if (issuer.pathLength !== undefined && issuer.pathLength < depth + 1) return "a certificate above it does not allow so long a path";
    const fault = checkAuthority(issuer, nowMs);
    if (fault !== undefined) return `the certificate above it: ${fault}`;
    issued = issuer;
  }
  const root = roots.find((candidate) => isIssuedBy(issued, candidate));
  if (root === undefined) return "no root in root.pem signed it";
  if (root.pathLength !== undefined && root.pathLength < above.length + 1) return "the root does not allow so long a path";
  const fault = checkAuthority(root, nowMs);
  return fault === undefined ? undefined : `its root: ${fault}`;
}

function isIssuedBy(issued: Certificate, issuer: Certificate): boolean {
  const { signatureAlgorithm: algorithm, signedBytes: bytes, signature } = issued;
  return equalBytes(issued.issuer, issuer.subject) && verifySignature({ algorithm, publicKey: issuer.publicKey, bytes, signature });
}

function isDevelopmentMade(certificate: Certificate): boolean {
  const names = Buffer.concat([certificate.subject, certificate.issuer]);
  return names.includes(DEVELOPMENT_ORGANISATION);
}
