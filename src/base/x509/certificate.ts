import {
  DerError,
  type DerValue,
  expectTag,
  readAscii,
  readBitBytes,
  readDer,
  readItems,
  readNamedBits,
  readOid,
  readSequence,
  readSmallInteger,
  readTime,
  readTrue,
  TAG,
} from "./der.ts";

/** What this mesh reads of an X.509 certificate (RFC 5280, section 4). Raw fields are DER bytes. */
export interface Certificate {
  readonly bytes: Uint8Array;
  /** The part that the issuer signed. */
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly signatureAlgorithm: string;
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly isAuthority: boolean;
  readonly basicConstraintsCritical: boolean;
  readonly pathLength: number | undefined;
  /** Bits of KeyUsage by number (0 digitalSignature, 5 keyCertSign, 6 cRLSign); undefined where there is no such extension. */
  readonly keyUsage: ReadonlySet<number> | undefined;
  readonly keyUsageCritical: boolean;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly names: SubjectNames;
  readonly nameConstraints: NameConstraints | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  /** Critical extensions that are not read here: such a certificate must be refused. */
  readonly unknownCritical: readonly string[];
}

export interface SubjectNames {
  readonly uris: readonly string[];
  /** How many names of other kinds there are. */
  readonly others: number;
  readonly critical: boolean;
}

export interface NameConstraints {
  readonly critical: boolean;
  readonly permittedUris: readonly string[];
  readonly excludedUris: readonly string[];
  /** True where a subtree is of another kind than URI, is no host, or uses minimum or maximum: such a constraint can't be judged here. */
  readonly hasOthers: boolean;
}

export const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;
export const EXTENDED_KEY_USAGE = { serverAuth: "1.3.6.1.5.5.7.3.1", clientAuth: "1.3.6.1.5.5.7.3.2" } as const;

const MAX_CERTIFICATE_BYTES = 32_768;
const URI_NAME = 0x86;
const NO_NAMES: SubjectNames = { uris: [], others: 0, critical: false };

/** Reads a certificate. @throws DerError for bytes that are none, or that have an extension twice. */
export function readCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) throw new DerError("certificate is too large");
  const [signed, algorithm, signature] = readSequence(readDer(bytes));
  if (signed === undefined) throw new DerError("certificate is empty");
  const fields = [...readSequence(signed)];
  if (fields[0]?.tag !== 0xa0) throw new DerError("certificate is not of version 3");
  const [, serial, innerAlgorithm, issuer, validity, subject, publicKey, ...rest] = fields;
  const [notBefore, notAfter] = readSequence(validity);
  const signatureAlgorithm = readOid(readSequence(algorithm)[0]);
  if (signatureAlgorithm !== readOid(readSequence(innerAlgorithm)[0])) throw new DerError("the two signature algorithms differ");
  return {
    bytes,
    signedBytes: signed.bytes,
    signature: readBitBytes(signature),
    signatureAlgorithm,
    serial: expectTag(serial, TAG.integer).content,
    issuer: expectTag(issuer, TAG.sequence).bytes,
    subject: expectTag(subject, TAG.sequence).bytes,
    notBeforeMs: readTime(notBefore),
    notAfterMs: readTime(notAfter),
    publicKey: expectTag(publicKey, TAG.sequence).bytes,
    ...readExtensions(rest.find((field) => field.tag === 0xa3)),
  };
}

type Extensions = Pick<
  Certificate,
  | "isAuthority"
  | "basicConstraintsCritical"
  | "pathLength"
  | "keyUsage"
  | "keyUsageCritical"
  | "extendedKeyUsage"
  | "names"
  | "nameConstraints"
  | "authorityKeyId"
  | "subjectKeyId"
  | "unknownCritical"
>;

interface Extension {
  readonly critical: boolean;
  readonly value: DerValue;
}

const EXTENSION = {
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectNames: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;
const READ_HERE: ReadonlySet<string> = new Set(Object.values(EXTENSION));

function readExtensions(field: DerValue | undefined): Extensions {
  const found = new Map<string, Extension>();
  for (const item of field === undefined ? [] : readSequence(readDer(field.content))) {
    const [oid, ...rest] = readSequence(item);
    const name = readOid(oid);
    if (found.has(name)) throw new DerError(`extension ${name} is there twice`);
    const critical = rest[0]?.tag === TAG.boolean && readTrue(rest[0]);
    found.set(name, { critical, value: readDer(expectTag(rest.at(-1), TAG.octetString).content) });
  }
  const basic = found.get(EXTENSION.basicConstraints);
  const usage = found.get(EXTENSION.keyUsage);
  const extended = found.get(EXTENSION.extendedKeyUsage);
  return {
    ...readBasicConstraints(basic),
    basicConstraintsCritical: basic?.critical ?? false,
    keyUsage: usage === undefined ? undefined : readNamedBits(usage.value),
    keyUsageCritical: usage?.critical ?? false,
    extendedKeyUsage: extended === undefined ? undefined : readSequence(extended.value).map(readOid),
    names: readNames(found.get(EXTENSION.subjectNames)),
    nameConstraints: readNameConstraints(found.get(EXTENSION.nameConstraints)),
    authorityKeyId: readAuthorityKeyId(found.get(EXTENSION.authorityKeyId)),
    subjectKeyId: readSubjectKeyId(found.get(EXTENSION.subjectKeyId)),
    unknownCritical: [...found].filter(([name, { critical }]) => critical && !READ_HERE.has(name)).map(([name]) => name),
  };
}

function readBasicConstraints(extension: Extension | undefined): Pick<Certificate, "isAuthority" | "pathLength"> {
  if (extension === undefined) return { isAuthority: false, pathLength: undefined };
  const [first, second] = readSequence(extension.value);
  if (first === undefined) return { isAuthority: false, pathLength: undefined };
  const isAuthority = readTrue(first);
  return { isAuthority, pathLength: second === undefined ? undefined : readSmallInteger(second) };
}

function readNames(extension: Extension | undefined): SubjectNames {
  if (extension === undefined) return NO_NAMES;
  const names = readSequence(extension.value);
  const uris = names.filter((name) => name.tag === URI_NAME).map((name) => readAscii(name.content));
  return { uris, others: names.length - uris.length, critical: extension.critical };
}

function readNameConstraints(extension: Extension | undefined): NameConstraints | undefined {
  if (extension === undefined) return undefined;
  const parts = readSequence(extension.value);
  const subtrees = (tag: number) => readItems(parts.find((part) => part.tag === tag)?.content ?? new Uint8Array()).map(readSequence);
  const permitted = subtrees(0xa0);
  const excluded = subtrees(0xa1);
  const isClear = parts.every(
    (part, i) => (part.tag === 0xa0 || part.tag === 0xa1) && parts.findIndex(({ tag }) => tag === part.tag) === i,
  );
  return {
    critical: extension.critical,
    permittedUris: permitted.filter(isUriTree).map(textOfTree),
    excludedUris: excluded.filter(isUriTree).map(textOfTree),
    hasOthers: !isClear || ![...permitted, ...excluded].every(isUriTree),
  };
}

/** A URI subtree is a host, or a domain with a dot before it (RFC 5280, 4.2.1.10); another text could never match, and so never exclude. */
function isUriTree(subtree: readonly DerValue[]): boolean {
  return subtree.length === 1 && subtree[0]?.tag === URI_NAME && /^\.?[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(textOfTree(subtree));
}

function textOfTree(subtree: readonly DerValue[]): string {
  return readAscii(subtree[0]?.content ?? new Uint8Array());
}

function readAuthorityKeyId(extension: Extension | undefined): Uint8Array | undefined {
  if (extension === undefined) return undefined;
  return readSequence(extension.value).find((part) => part.tag === 0x80)?.content;
}

function readSubjectKeyId(extension: Extension | undefined): Uint8Array | undefined {
  return extension === undefined ? undefined : expectTag(extension.value, TAG.octetString).content;
}
