import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { writeAscii, writeDer, writeSequence } from "../base/x509/index.ts";

type X509 = typeof import("@peculiar/x509");
type Extension = import("@peculiar/x509").Extension;
type Name = import("@peculiar/x509").Name;
type CryptoKey = import("node:crypto").webcrypto.CryptoKey;

/** One who signs: its certificate (PEM) and key. */
export interface Signer {
  readonly certificatePem: string;
  readonly key: KeyObject;
}

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export const DEVELOPMENT_ORGANISATION = "Kumiko development root";

const NAME_CONSTRAINTS = "2.5.29.30";
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

let loading: Promise<X509> | undefined;

/** The library takes 150 ms to load and wants its polyfill first: a command that signs nothing must not pay for that. */
function loadX509(): Promise<X509> {
  loading ??= import("reflect-metadata").then(() => import("@peculiar/x509"));
  return loading;
}

export function makeKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** A self-signed root that says in its Subject that it is for development. */
export async function issueDevelopmentRoot(key: KeyObject, validity: Validity): Promise<string> {
  const x509 = await loadX509();
  const subject = new x509.Name([{ O: [DEVELOPMENT_ORGANISATION] }]);
  return await sign(x509, { subject, issuer: subject, publicKey: publicKeyOf(key), key, validity }, [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ]);
}

/** An intermediate that can sign names of one trust domain only (critical URI name constraint), and no further authority (pathLen 0). */
export async function issueIntermediate(root: Signer, key: KeyObject, trustDomain: string, validity: Validity): Promise<string> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(root.certificatePem);
  const subject = new x509.Name([{ O: ["Kumiko"] }, { CN: [`intermediate of ${trustDomain.slice(0, 40)}`] }]);
  const permitted = writeDer(0xa0, writeSequence(writeAscii(0x86, trustDomain)));
  return await sign(x509, { subject, issuer: issuer.subjectName, publicKey: publicKeyOf(key), key: root.key, validity }, [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    new x509.Extension(NAME_CONSTRAINTS, true, writeSequence(permitted) as Uint8Array<ArrayBuffer>),
    await toAuthorityKeyId(x509, issuer),
  ]);
}

/** An X.509-SVID: no Subject, exactly one URI name, for servers and clients (SPIFFE X509-SVID, sections 2 to 4). */
export async function issueLeaf(signer: Signer, publicKey: Uint8Array, uri: string, validity: Validity): Promise<string> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(signer.certificatePem);
  const subject = new x509.Name([]);
  return await sign(x509, { subject, issuer: issuer.subjectName, publicKey, key: signer.key, validity }, [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth], false),
    new x509.SubjectAlternativeNameExtension([{ type: "url", value: uri }], true),
    await toAuthorityKeyId(x509, issuer),
  ]);
}

interface ToSign {
  readonly subject: Name;
  readonly issuer: Name;
  readonly publicKey: Uint8Array;
  readonly key: KeyObject;
  readonly validity: Validity;
}

async function sign(x509: X509, given: ToSign, extensions: readonly Extension[]): Promise<string> {
  const publicKey = new x509.PublicKey(given.publicKey as Uint8Array<ArrayBuffer>);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: given.subject,
    issuer: given.issuer,
    notBefore: new Date(given.validity.notBeforeMs),
    notAfter: new Date(given.validity.notAfterMs),
    publicKey,
    signingKey: toCryptoKey(given.key),
    signingAlgorithm: signingAlgorithmOf(given.key),
    extensions: [...extensions, await x509.SubjectKeyIdentifierExtension.create(publicKey)],
  });
  return `${certificate.toString("pem").trim()}\n`;
}

/** 128 random bits after a leading 1, so that the number is positive and always of the same length. */
function newSerial(): string {
  const bytes = randomBytes(17);
  bytes[0] = 0x01;
  return bytes.toString("hex");
}

async function toAuthorityKeyId(x509: X509, issuer: import("@peculiar/x509").X509Certificate): Promise<Extension> {
  const ski = issuer.getExtension(x509.SubjectKeyIdentifierExtension);
  return ski === null
    ? await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)
    : new x509.AuthorityKeyIdentifierExtension(ski.keyId);
}

function publicKeyOf(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ format: "der", type: "spki" });
}

function toCryptoKey(key: KeyObject): CryptoKey {
  return key.toCryptoKey(importAlgorithmOf(key), false, ["sign"]);
}

function importAlgorithmOf(key: KeyObject) {
  if (key.asymmetricKeyType === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } as const;
  const curve = key.asymmetricKeyDetails?.namedCurve === "secp384r1" ? "P-384" : "P-256";
  return { name: "ECDSA", namedCurve: curve } as const;
}

function signingAlgorithmOf(key: KeyObject) {
  return key.asymmetricKeyType === "rsa" ? importAlgorithmOf(key) : P256;
}
