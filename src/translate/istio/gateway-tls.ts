import type { ServerTls } from "../../ir/tls.ts";
import type { Finding, Scope } from "../../mesh/index.ts";
import type { BoundServer } from "./gateway-server.ts";
import { missingSecret, secretName } from "./secret.ts";

const VERSIONS = { TLSV1_2: "1.2", TLSV1_3: "1.3" } as const;

/** SDS names of users' Secrets that are there, with what they must hold. */
export type Credentials = ReadonlySet<string>;

/**
 * TLS that ends at a gateway; undefined where the server names no certificate that we can serve. Such a server stays closed by itself: Envoy would
 * wait for its Secret with the whole port.
 */
export function gatewayTls(bound: BoundServer, scope: Scope, credentials: Credentials, findings: Finding[]): ServerTls | undefined {
  const tls = readTls(bound, scope, findings);
  const missing = tls === undefined ? [] : secretsOf(tls).filter((name) => !credentials.has(name));
  findings.push(...missing.map((name) => missingSecret(name, { ref: bound.origin.ref, path: [...bound.origin.path, "tls"] })));
  return missing.length === 0 ? tls : undefined;
}

/** Users' Secrets that the servers of a scope's Gateways name. */
export function namedSecrets(scope: Scope): readonly string[] {
  const names = new Set<string>();
  for (const { gateway } of scope.gateways) {
    for (const [i, server] of gateway.servers.entries()) {
      const bound: BoundServer = {
        gateway,
        server,
        virtualServices: [],
        kind: "tls",
        address: "",
        port: 0,
        origin: { ref: gateway.origin.ref, path: ["spec", "servers", i] },
      };
      const tls = server.tls === undefined ? undefined : readTls(bound, scope, []);
      if (tls !== undefined) for (const name of secretsOf(tls)) names.add(name);
    }
  }
  return [...names].toSorted();
}

function secretsOf(tls: ServerTls): readonly string[] {
  const trust = tls.clients.kind === "none" ? [] : [tls.clients.trustSecret];
  return [tls.certificateSecret, ...trust].filter((name) => name.startsWith("kubernetes://"));
}

function readTls(bound: BoundServer, { proxy, settings }: Scope, findings: Finding[]): ServerTls | undefined {
  const { server, kind, origin } = bound;
  const tls = server.tls;
  const at = { ref: origin.ref, path: [...origin.path, "tls"] };
  const secret = (name: string) => secretName(proxy.namespace, name);
  const limits = versionsOf(tls, findings, at);
  const common = {
    ...limits,
    ...(tls?.cipherSuites !== undefined && { cipherSuites: tls.cipherSuites }),
    alpn: kind === "https" ? ["h2", "http/1.1"] : [],
  };
  const names = (tls?.subjectAltNames ?? []).map((value) => ({ kind: "exact", value }) as const);
  if (tls?.mode === "ISTIO_MUTUAL") {
    const domains = [settings.trustDomain, ...settings.trustDomainAliases].map(
      (domain) => ({ kind: "prefix", value: `spiffe://${domain}/` }) as const,
    );
    return {
      ...common,
      certificateSecret: "default",
      clients: { kind: "required", trustSecret: "ROOTCA", names: names.length > 0 ? names : domains },
    };
  }
  const credential = tls?.credentialName ?? tls?.credentialNames?.[0];
  if (credential === undefined || credential === "") {
    findings.push({
      code: "KMK1003",
      message: "a server that ends TLS needs credentialName; this one stays closed",
      help: "put certificate and key into a Secret and name it",
      origin: at,
    });
    return undefined;
  }
  if (tls?.mode !== "MUTUAL" && tls?.mode !== "OPTIONAL_MUTUAL")
    return { ...common, certificateSecret: secret(credential), clients: { kind: "none" } };
  const trustSecret =
    tls.caCertCredentialName === undefined || tls.caCertCredentialName === ""
      ? `${secret(credential)}-cacert`
      : secret(tls.caCertCredentialName);
  return {
    ...common,
    certificateSecret: secret(credential),
    clients: { kind: tls.mode === "MUTUAL" ? "required" : "optional", trustSecret, names },
  };
}

function versionsOf(
  tls: BoundServer["server"]["tls"],
  findings: Finding[],
  origin: Finding["origin"],
): Pick<ServerTls, "minVersion" | "maxVersion"> {
  const min = tls?.minProtocolVersion;
  const max = tls?.maxProtocolVersion;
  if (min === "TLSV1_0" || min === "TLSV1_1" || max === "TLSV1_0" || max === "TLSV1_1") {
    findings.push({ code: "KMK3001", message: "TLS below 1.2 is not served", help: "remove the limit, or say TLSV1_2", origin });
  }
  return { minVersion: min === "TLSV1_3" ? "1.3" : "1.2", ...((max === "TLSV1_2" || max === "TLSV1_3") && { maxVersion: VERSIONS[max] }) };
}
