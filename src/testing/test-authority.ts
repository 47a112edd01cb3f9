import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

/** A certificate with its key, as PEM. */
export interface Issued {
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface Names {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly expired?: boolean;
}

/** One who vouches for names, for as long as a test runs. */
export interface TestAuthority {
  readonly rootPem: string;
  issue(names: Names): Promise<Issued>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR_MS = 3_600_000;

export async function createTestAuthority(name: string): Promise<TestAuthority> {
  const keys = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(false),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    rootPem: root.toString("pem"),
    async issue({ uris = [], dns = [], expired = false }) {
      const own = await newKeys();
      const names = [...uris.map((value) => ({ type: "url", value }) as const), ...dns.map((value) => ({ type: "dns", value }) as const)];
      const leaf = await x509.X509CertificateGenerator.create({
        subject: "CN=leaf",
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        ...validity(expired),
        extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
      });
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", own.privateKey)).toString("base64");
      return { chainPem: leaf.toString("pem"), keyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` };
    },
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

function validity(expired: boolean): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - 2 * HOUR_MS), notAfter: new Date(expired ? now - HOUR_MS : now + HOUR_MS) };
}
