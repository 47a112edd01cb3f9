import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type Secret, SecretSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { encodeResource } from "../translate/envoy/any.ts";
import type { EnvoyResource } from "../translate/envoy/resource.ts";

interface OwnCertificate {
  readonly certificate: string;
  readonly key: string;
}

let made: OwnCertificate | undefined;

/** `spiffe://cluster.local/ns/test/sa/test`, vouched for by itself; made anew in each process, never stored. */
export function ownCertificate(): OwnCertificate {
  made ??= selfSigned();
  return made;
}

/** The certificate under the names that a proxy's agent answers, `default` and `ROOTCA`. */
export function ownSecrets(): readonly EnvoyResource[] {
  const { certificate, key } = ownCertificate();
  return proxySecrets({ chainPem: certificate, keyPem: key, trustPem: certificate });
}

/** A certificate and whom its owner trusts, under the names that a proxy's agent answers. */
export function proxySecrets({
  chainPem,
  keyPem,
  trustPem,
}: {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly trustPem: string;
}): readonly EnvoyResource[] {
  const inline = (text: string) => ({ specifier: { case: "inlineString" as const, value: text } });
  const identity = create(SecretSchema, {
    name: "default",
    type: { case: "tlsCertificate", value: { certificateChain: inline(chainPem), privateKey: inline(keyPem) } },
  });
  const roots = create(SecretSchema, { name: "ROOTCA", type: { case: "validationContext", value: { trustedCa: inline(trustPem) } } });
  return [identity, roots].map((secret: Secret) =>
    encodeResource(SecretSchema, secret, { type: "secret", name: secret.name, references: [], origins: new Map() }),
  );
}

function selfSigned(): OwnCertificate {
  const folder = mkdtempSync(join(tmpdir(), "kumiko-secret-"));
  const [certificate, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const subject = ["-subj", "/CN=test", "-addext", "subjectAltName=URI:spiffe://cluster.local/ns/test/sa/test"];
  try {
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
        "-keyout",
        key,
        "-out",
        certificate,
        ...subject,
      ],
      { stdio: "ignore" },
    );
    return { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
