import "reflect-metadata";
import { createPublicKey, randomBytes, webcrypto, X509Certificate as NodeCertificate } from "node:crypto";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { readIfThere, writePrivate } from "./files.ts";
import type { Places } from "./places.ts";

/** A certificate with its key, and the authority to check it by, all PEM. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

export interface CertificateRequest {
  /** Its file's name, and the subject. */
  readonly name: string;
  readonly dns: readonly string[];
  readonly ip?: readonly string[];
}

const DAY_MS = 86_400_000;
const ROOT_DAYS = 3_650;
const LEAF_DAYS = 90;
const RENEW_DAYS = 30;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

x509.cryptoProvider.set(webcrypto);

/** Makes, or finds, the platform's own authority: the stand-in for the public one that would sign the same names in production. */
export async function openAuthority(places: Places, now = new Date()): Promise<Authority> {
  const pem = readIfThere(places.caCertificate);
  const keyPem = readIfThere(places.caKey);
  if (pem !== undefined && keyPem !== undefined && isFresh(pem, now)) {
    return new Authority(places, new x509.X509Certificate(pem), await importKey(keyPem), now);
  }
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(16).toString("hex"),
    name: "CN=Platform development authority",
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + ROOT_DAYS * DAY_MS),
    keys: keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  writePrivate(places.caKey, await exportKey(keys.privateKey));
  writePrivate(places.caCertificate, `${certificate.toString("pem")}\n`);
  return new Authority(places, certificate, keys.privateKey, now);
}

export class Authority {
  readonly certificate: string;
  readonly #places: Places;
  readonly #issuer: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  readonly #now: Date;

  constructor(places: Places, issuer: x509.X509Certificate, key: webcrypto.CryptoKey, now: Date) {
    this.certificate = `${issuer.toString("pem")}\n`;
    this.#places = places;
    this.#issuer = issuer;
    this.#key = key;
    this.#now = now;
  }

  /** The credential of that name: the one on disk while it fits and has a month left, else a new one. */
  async credential(request: CertificateRequest): Promise<Credential> {
    const certificatePath = join(this.#places.certificates, `${request.name}.pem`);
    const keyPath = join(this.#places.certificates, `${request.name}.key`);
    const certificate = readIfThere(certificatePath);
    const key = readIfThere(keyPath);
    if (certificate !== undefined && key !== undefined && this.#fits(certificate, key, request)) {
      return { certificate, key, authority: this.certificate };
    }
    const made = await this.#make(request);
    writePrivate(keyPath, made.key);
    writePrivate(certificatePath, made.certificate);
    return made;
  }

  #fits(pem: string, keyPem: string, request: CertificateRequest): boolean {
    const certificate = new NodeCertificate(pem);
    const issuer = new NodeCertificate(this.certificate);
    const names = [...request.dns.map((name) => `DNS:${name}`), ...(request.ip ?? []).map((ip) => `IP Address:${ip}`)].join(", ");
    const sameKey = createPublicKey(keyPem).equals(certificate.publicKey);
    return isFresh(pem, this.#now) && sameKey && certificate.verify(issuer.publicKey) && certificate.subjectAltName === names;
  }

  async #make(request: CertificateRequest): Promise<Credential> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const names: x509.JsonGeneralName[] = [
      ...request.dns.map((value) => ({ type: "dns" as const, value })),
      ...(request.ip ?? []).map((value) => ({ type: "ip" as const, value })),
    ];
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomBytes(16).toString("hex"),
      subject: `CN=${request.name}`,
      issuer: this.#issuer.subjectName,
      notBefore: new Date(this.#now.getTime() - 3_600_000),
      notAfter: new Date(this.#now.getTime() + LEAF_DAYS * DAY_MS),
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.AuthorityKeyIdentifierExtension.create(this.#issuer),
      ],
    });
    return { certificate: `${certificate.toString("pem")}\n`, key: await exportKey(keys.privateKey), authority: this.certificate };
  }
}

function isFresh(pem: string, now: Date): boolean {
  return new NodeCertificate(pem).validToDate.getTime() - now.getTime() > RENEW_DAYS * DAY_MS;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  if (der === undefined) throw new Error("the authority's key file holds no key");
  return await webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
}

/** Reads a credential that setup made. @throws where it has not run. */
export function readCredential(places: Places, name: string): Credential {
  const [certificate, key, authority] = [
    join(places.certificates, `${name}.pem`),
    join(places.certificates, `${name}.key`),
    places.caCertificate,
  ].map(readIfThere);
  if (certificate !== undefined && key !== undefined && authority !== undefined) return { certificate, key, authority };
  throw new Error(`no certificate "${name}" in ${places.certificates}: run "node scripts/setup.ts" first`);
}
