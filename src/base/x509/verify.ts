import { type Certificate, EXTENDED_KEY_USAGE, KEY_USAGE, readCertificate } from "./certificate.ts";
import { DerError } from "./der.ts";

/** Checks one signature; the caller brings the cryptography. `publicKey` is a SubjectPublicKeyInfo, `algorithm` the OID of the signature. */
export type VerifySignature = (signed: {
  readonly algorithm: string;
  readonly publicKey: Uint8Array;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}) => boolean;

export interface ChainToVerify {
  /** DER; the leaf first, then intermediates in any order. A root among them is not trusted for being there. */
  readonly chain: readonly Uint8Array[];
  /** DER of the trusted roots. */
  readonly roots: readonly Uint8Array[];
  readonly nowMs: number;
  readonly verifySignature: VerifySignature;
}

export type ChainVerdict =
  | { readonly ok: true; readonly uri: string; readonly leaf: Certificate; readonly path: readonly Certificate[] }
  | { readonly ok: false; readonly reason: string };

const MAX_CHAIN = 8;

/**
 * Verifies a certificate path as RFC 5280 section 6 says (validity, cA, KeyUsage, pathLen, URI name constraints, critical extensions,
 * signatures) and the leaf as an X.509-SVID (SPIFFE X509-SVID sections 4 and 5). Stricter than both where it doesn't understand something:
 * a name constraint of another kind than URI is refused.
 */
export function verifyChain(given: ChainToVerify): ChainVerdict {
  try {
    if (given.chain.length === 0) return refuse("there is no certificate");
    if (given.chain.length > MAX_CHAIN) return refuse("the chain is too long");
    const [leaf, ...intermediates] = given.chain.map(readCertificate);
    if (leaf === undefined) return refuse("there is no certificate");
    const fault = checkLeaf(leaf, given.nowMs);
    if (fault !== undefined) return refuse(fault);
    return findPath(leaf, intermediates, given.roots.map(readCertificate), given);
  } catch (thrown) {
    if (thrown instanceof DerError) return refuse(`a certificate can't be read: ${thrown.message}`);
    throw thrown;
  }
}

function refuse(reason: string): ChainVerdict {
  return { ok: false, reason };
}

/** Tries the paths from the leaf to a root, shortest first; each certificate is used once, so that it ends. */
function findPath(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  roots: readonly Certificate[],
  given: ChainToVerify,
): ChainVerdict {
  let reason = "no root that is trusted signed it";
  let paths: readonly (readonly Certificate[])[] = [[leaf]];
  for (let steps = 0; steps <= intermediates.length && paths.length > 0; steps++) {
    for (const path of paths) {
      for (const root of roots.filter((candidate) => mayIssue(candidate, path.at(-1) ?? leaf))) {
        const fault = checkPath([...path, root], given);
        if (fault === undefined) return { ok: true, uri: leaf.names.uris[0] ?? "", leaf, path: [...path, root] };
        reason = fault;
      }
    }
    paths = paths.flatMap((path) =>
      intermediates.filter((next) => !path.includes(next) && mayIssue(next, path.at(-1) ?? leaf)).map((next) => [...path, next]),
    );
    if (paths.length > 64) return refuse("the chain has too many branches");
  }
  return refuse(reason);
}

function mayIssue(issuer: Certificate, issued: Certificate): boolean {
  if (!equalBytes(issuer.subject, issued.issuer)) return false;
  return issued.authorityKeyId === undefined || issuer.subjectKeyId === undefined || equalBytes(issued.authorityKeyId, issuer.subjectKeyId);
}

/** Leaf first, root last. Returns the first fault. */
function checkPath(path: readonly Certificate[], given: ChainToVerify): string | undefined {
  for (let i = 0; i < path.length; i++) {
    const issued = path[i];
    const issuer = path[i + 1];
    if (issued === undefined) break;
    if (i > 0) {
      const below = path.slice(1, i).filter((certificate) => !equalBytes(certificate.subject, certificate.issuer)).length;
      const fault = checkAuthority(issued, below, given.nowMs) ?? checkNameConstraints(issued, path.slice(0, i));
      if (fault !== undefined) return fault;
    }
    if (issuer !== undefined && !isSignedBy(issued, issuer, given.verifySignature)) return "a signature is wrong";
  }
  return undefined;
}

function isSignedBy(issued: Certificate, issuer: Certificate, verify: VerifySignature): boolean {
  const { signatureAlgorithm: algorithm, signedBytes: bytes, signature } = issued;
  return verify({ algorithm, publicKey: issuer.publicKey, bytes, signature });
}

/** `below` counts the intermediates under it that are not self-issued (RFC 5280, 6.1.4 l). */
function checkAuthority(authority: Certificate, below: number, nowMs: number): string | undefined {
  if (!authority.isAuthority || !authority.basicConstraintsCritical) return "a signer is no certificate authority";
  if (authority.keyUsage?.has(KEY_USAGE.keyCertSign) !== true) return "a signer may not sign certificates";
  if (!isForBothSides(authority)) return "a signer's ExtendedKeyUsage leaves out servers or clients";
  if (authority.pathLength !== undefined && below > authority.pathLength) return "the path is longer than a signer allows";
  return checkCommon(authority, nowMs);
}

function checkCommon(certificate: Certificate, nowMs: number): string | undefined {
  if (nowMs < certificate.notBeforeMs) return "a certificate is not valid yet";
  if (nowMs > certificate.notAfterMs) return "a certificate has expired";
  if (certificate.unknownCritical.length > 0) return `a critical extension is not known: ${certificate.unknownCritical[0]}`;
  return undefined;
}

function checkNameConstraints(authority: Certificate, below: readonly Certificate[]): string | undefined {
  const constraints = authority.nameConstraints;
  if (constraints === undefined) return undefined;
  if (constraints.hasOthers) return "a name constraint is of a kind that is not understood";
  for (const uri of below.flatMap((certificate) => certificate.names.uris)) {
    const host = hostOf(uri);
    if (host === undefined) return "a name has no host to hold against the name constraints";
    if (constraints.excludedUris.some((tree) => isWithin(host, tree))) return "a name is excluded by a signer's name constraints";
    const permitted = constraints.permittedUris;
    if (permitted.length > 0 && !permitted.some((tree) => isWithin(host, tree))) return "a name is outside a signer's name constraints";
  }
  return undefined;
}

function hostOf(uri: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/([a-z0-9._-]+)(?:\/|$)/.exec(uri)?.[1];
}

/** RFC 5280, 4.2.1.10: `.a.test` covers what is under it, `a.test` covers that host alone. */
function isWithin(host: string, tree: string): boolean {
  const wanted = tree.toLowerCase();
  return wanted.startsWith(".") ? host.endsWith(wanted) : host === wanted;
}

/** SPIFFE X509-SVID, sections 2, 4.3 and 4.4. */
function checkLeaf(leaf: Certificate, nowMs: number): string | undefined {
  const [uri, second] = leaf.names.uris;
  if (uri === undefined || second !== undefined) return "the leaf must have exactly one URI name";
  if (!isSpiffeId(uri)) return "the leaf's URI is no SPIFFE id of a workload";
  if (!leaf.names.critical && leaf.subject.length === 2) return "the leaf has no Subject and its names are not critical";
  if (leaf.isAuthority) return "the leaf is a certificate authority";
  const usage = leaf.keyUsage;
  if (usage === undefined || !leaf.keyUsageCritical) return "the leaf's KeyUsage must be there and critical";
  if (!usage.has(KEY_USAGE.digitalSignature)) return "the leaf may not sign";
  if (usage.has(KEY_USAGE.keyCertSign) || usage.has(KEY_USAGE.cRLSign)) return "the leaf may sign certificates";
  if (!isForBothSides(leaf)) return "the leaf must be for servers and for clients";
  return checkCommon(leaf, nowMs);
}

/** In a signer ExtendedKeyUsage limits what is below it, as OpenSSL and BoringSSL read it. */
function isForBothSides({ extendedKeyUsage }: Certificate): boolean {
  if (extendedKeyUsage === undefined) return true;
  return extendedKeyUsage.includes(EXTENDED_KEY_USAGE.serverAuth) && extendedKeyUsage.includes(EXTENDED_KEY_USAGE.clientAuth);
}

/** SPIFFE-ID section 2: no query, fragment, percent, port, user; at least one path segment, none empty or dotted. */
export function isSpiffeId(uri: string): boolean {
  const match = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)+)$/.exec(uri);
  const path = match?.[2];
  if (path === undefined || uri.length > 2048) return false;
  return path
    .slice(1)
    .split("/")
    .every((segment) => segment !== "." && segment !== "..");
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

const SIGNATURE_HASHES: Readonly<Record<string, "sha256" | "sha384" | "sha512">> = {
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
};

/** The hash of an ECDSA or RSA (PKCS#1 v1.5) signature algorithm by its OID; undefined for SHA-1 and all else. */
export function signatureHash(algorithm: string): "sha256" | "sha384" | "sha512" | undefined {
  return SIGNATURE_HASHES[algorithm];
}
