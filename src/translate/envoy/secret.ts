import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { hashBytes } from "../../base/stable-hash.ts";
import { SecretSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { TlsSecret } from "../../ir/secret.ts";
import type { EnvoyResource } from "./resource.ts";

/** What stands for a private key wherever a person may look. */
const REDACTED = "[redacted]";

/** A user's certificate or authority as SDS carries it. The key is in `bytes` alone: `message` is for views and dumps. */
export function toEnvoySecret(secret: TlsSecret): EnvoyResource {
  const message = create(SecretSchema, content(secret, REDACTED));
  const bytes = toBinary(SecretSchema, create(SecretSchema, content(secret, secret.certificate?.key.unseal() ?? "")));
  return {
    type: "secret",
    name: secret.name,
    version: hashBytes(bytes),
    bytes,
    message,
    references: [],
    origins: new Map([["", secret.origin]]),
  };
}

function content({ name, certificate, trustPem }: TlsSecret, key: string): MessageInitShape<typeof SecretSchema> {
  const inline = (value: string) => ({ specifier: { case: "inlineString" as const, value } });
  if (certificate === undefined) return { name, type: { case: "validationContext", value: { trustedCa: inline(trustPem ?? "") } } };
  return { name, type: { case: "tlsCertificate", value: { certificateChain: inline(certificate.chainPem), privateKey: inline(key) } } };
}
