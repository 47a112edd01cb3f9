import { X509Certificate } from "node:crypto";

export interface SecretRow {
  readonly name: string;
  readonly type: "certificate" | "trust" | "other";
  readonly state: "active" | "warming";
  readonly identity: string;
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
}

interface DumpedSecret {
  readonly name?: string;
  readonly secret?: {
    readonly tls_certificate?: { readonly certificate_chain?: DumpedBytes };
    readonly validation_context?: { readonly trusted_ca?: DumpedBytes };
  };
}

interface DumpedBytes {
  readonly inline_bytes?: string;
  readonly inline_string?: string;
}

export interface ConfigDump {
  readonly configs?: readonly (Readonly<Record<string, unknown>> & { readonly "@type"?: string })[];
}

/** What a proxy holds by SDS, of its own /config_dump; certificates only, Envoy never shows a key. Names without a secret yet are warming. */
export function toSecretRows(dump: ConfigDump): readonly SecretRow[] {
  const section = dump.configs?.find((config) => config["@type"]?.endsWith(".SecretsConfigDump") === true);
  const read = (field: string, state: SecretRow["state"]) =>
    ((section?.[field] ?? []) as readonly DumpedSecret[]).map((secret) => toRow(secret, state));
  return [...read("dynamic_active_secrets", "active"), ...read("static_secrets", "active"), ...read("dynamic_warming_secrets", "warming")];
}

function toRow({ name = "", secret }: DumpedSecret, state: SecretRow["state"]): SecretRow {
  const chain = secret?.tls_certificate?.certificate_chain;
  const trust = secret?.validation_context?.trusted_ca;
  const type = secret?.tls_certificate !== undefined ? "certificate" : secret?.validation_context !== undefined ? "trust" : "other";
  return { name, type, state, ...describe(chain ?? trust) };
}

function describe(bytes: DumpedBytes | undefined): Pick<SecretRow, "identity" | "serial" | "notBefore" | "notAfter"> {
  const pem = bytes?.inline_bytes !== undefined ? Buffer.from(bytes.inline_bytes, "base64") : bytes?.inline_string;
  try {
    if (pem === undefined) throw new TypeError("no certificate");
    const certificate = new X509Certificate(pem);
    return {
      identity: /URI:(spiffe:[^,\s]+)/.exec(certificate.subjectAltName ?? "")?.[1] ?? "",
      serial: certificate.serialNumber.toLowerCase(),
      notBefore: certificate.validFromDate.toISOString(),
      notAfter: certificate.validToDate.toISOString(),
    };
  } catch {
    return { identity: "", serial: "", notBefore: "", notAfter: "" };
  }
}

/** The bootstrap that an Envoy runs with, of its /config_dump. */
export function bootstrapOf(dump: ConfigDump): unknown {
  return dump.configs?.find((config) => config["@type"]?.endsWith(".BootstrapConfigDump") === true)?.["bootstrap"];
}
