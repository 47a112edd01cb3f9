import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { SecretSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { WorkloadCertificate } from "./keys.ts";

/** One secret as the relay sends it: an encoded `envoy.extensions.transport_sockets.tls.v3.Secret`. Never log or keep the bytes. */
export interface LocalSecret {
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** The secrets that the agent itself answers: `default` (the workload's certificate with its key) and `ROOTCA`. */
export interface LocalSecrets {
  /** Undefined for another name, and while there is no valid certificate: then nothing is sent. */
  current(name: string): LocalSecret | undefined;
  /** Calls back after each change. Returns a function that ends it. */
  onChange(callback: () => void): () => void;
}

export const OWN_CERTIFICATE = "default";
export const ROOTS = "ROOTCA";

/** Turns the workload's certificate into secrets; call `changed` when there is a new one. */
export class CertificateSecrets implements LocalSecrets {
  readonly #certificate: () => WorkloadCertificate | undefined;
  readonly #callbacks = new Set<() => void>();
  #madeFrom: WorkloadCertificate | undefined;
  #made: ReadonlyMap<string, LocalSecret> = new Map();

  constructor(certificate: () => WorkloadCertificate | undefined) {
    this.#certificate = certificate;
  }

  current(name: string): LocalSecret | undefined {
    const certificate = this.#certificate();
    if (certificate !== this.#madeFrom) {
      this.#made = certificate === undefined ? new Map() : makeSecrets(certificate);
      this.#madeFrom = certificate;
    }
    return this.#made.get(name);
  }

  onChange(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  changed(): void {
    for (const callback of this.#callbacks) callback();
  }
}

function makeSecrets(certificate: WorkloadCertificate): ReadonlyMap<string, LocalSecret> {
  const key = certificate.key.unseal().export({ format: "pem", type: "pkcs8" }).toString();
  const own = create(SecretSchema, {
    name: OWN_CERTIFICATE,
    type: {
      case: "tlsCertificate",
      value: { certificateChain: inline(certificate.chainPem), privateKey: inline(key) },
    },
  });
  const roots = create(SecretSchema, {
    name: ROOTS,
    type: { case: "validationContext", value: { trustedCa: inline(certificate.rootsPem) } },
  });
  // The version is of the public part, so that it can be shown and logged.
  return new Map([
    [OWN_CERTIFICATE, { version: versionOf(certificate.chainPem), bytes: toBinary(SecretSchema, own) }],
    [ROOTS, { version: versionOf(certificate.rootsPem), bytes: toBinary(SecretSchema, roots) }],
  ]);
}

function inline(text: string) {
  return { specifier: { case: "inlineBytes", value: new TextEncoder().encode(text) } } as const;
}

function versionOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
