import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509";

/** A text that must not be seen, and its forms: as it is, and in base64 at each of the three places where it may begin. */
export interface Canary {
  readonly name: string;
  readonly forms: readonly string[];
}

export function canary(name: string, text: string): Canary {
  const encoded = [0, 1, 2].map((shift) => {
    const base64 = Buffer.from(`${" ".repeat(shift)}${text}`)
      .toString("base64")
      .replaceAll("=", "");
    return base64.slice(shift === 0 ? 0 : 4, -2);
  });
  return { name, forms: [text, ...encoded] };
}

/** Names of the canaries that a text holds. */
export function findCanaries(text: string, canaries: readonly Canary[]): readonly string[] {
  return canaries.filter(({ forms }) => forms.some((form) => text.includes(form))).map(({ name }) => name);
}

/** A key with a certificate of its own signature, both PEM. */
export async function selfSigned(host: string): Promise<{ readonly certificate: string; readonly key: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: `CN=${host}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: host }])],
  });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { certificate: certificate.toString("pem"), key };
}

/** Every file, folder and socket under a folder, that folder included, with its mode. */
export function modesUnder(folder: string): readonly { readonly path: string; readonly mode: string }[] {
  const stat = statSync(folder);
  const mode = (stat.mode & 0o777).toString(8);
  const below = stat.isDirectory() ? readdirSync(folder).flatMap((name) => modesUnder(join(folder, name))) : [];
  return [{ path: `${folder}${stat.isDirectory() ? "/" : ""}`, mode }, ...below];
}
