import type { FilterChain } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import type { CertificateValidationContext, SubjectAltNameMatcher } from "../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import { SubjectAltNameMatcher_SanType as SanType } from "../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import type { CommonTlsContext } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { openConfig } from "./config.ts";
import type { Accepted, Connection, ServerCertificate } from "./connection.ts";
import { matchesString } from "./string-match.ts";
import { find, type Site } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

export type Handshake = { readonly accepted: Accepted } | { readonly refused: string } | { readonly missingSecret: string };

/** Ends the chain's TLS, where it has some. */
export function acceptTls(site: Site, { transportSocket }: FilterChain, connection: Connection): Handshake {
  if (transportSocket === undefined) return { accepted: connection };
  const config = transportSocket.configType.case === "typedConfig" ? openConfig(transportSocket.configType.value) : undefined;
  if (config?.kind === "rawBuffer") return { accepted: connection };
  if (config?.kind !== "downstreamTls") throw new Undecidable(`transport socket ${transportSocket.name}`);
  const { commonTlsContext: common, requireClientCertificate = false } = config.value;
  const missing = secretsOf(common).find((name) => !isThere(site, name));
  if (missing !== undefined) return { missingSecret: missing };
  const { stream } = connection;
  if (stream.kind !== "tls") return { refused: "the connection carries no TLS" };
  const { certificate, sni, verify } = stream.hello;
  const distrust = verify?.(certificateOf(site, common, sni));
  if (distrust !== undefined) return { refused: distrust };
  const validation = validationOf(common);
  if (validation === undefined || certificate === undefined) {
    if (requireClientCertificate) return { refused: "the client shows no certificate" };
    return { accepted: { ...connection, stream: stream.inside, tls: { sni, trusted: false } } };
  }
  const fault = faultOf(certificate, validation.matchTypedSubjectAltNames);
  if (fault !== undefined) return { refused: fault };
  return { accepted: { ...connection, stream: stream.inside, tls: { sni, peer: certificate.uri, trusted: true } } };
}

/** A Secret's certificate is taken to be for the host that the client asks for. */
function certificateOf(site: Site, common: CommonTlsContext | undefined, sni: string): ServerCertificate {
  const own = common?.tlsCertificateSdsSecretConfigs[0]?.name === "default";
  return own ? { authority: "mesh", uris: [site.identity], dns: [] } : { authority: "outside", uris: [], dns: [sni] };
}

/** Names of the SDS secrets that a TLS context waits for. */
export function secretsOf(common: CommonTlsContext | undefined): readonly string[] {
  const own = common?.tlsCertificateSdsSecretConfigs.map(({ name }) => name) ?? [];
  const context = common?.validationContextType;
  if (context?.case === "combinedValidationContext") return [...own, context.value.validationContextSdsSecretConfig?.name ?? ""];
  if (context?.case === "validationContextSdsSecretConfig") return [...own, context.value.name];
  return own;
}

/** The agent answers for what belongs to the proxy itself; the rest has to be in the snapshot. */
export function isThere(site: Site, secret: string): boolean {
  return secret === "default" || secret === "ROOTCA" || find(site, "secret", secret) !== undefined;
}

export function validationOf(
  common: CommonTlsContext | undefined,
): Pick<CertificateValidationContext, "matchTypedSubjectAltNames"> | undefined {
  const context = common?.validationContextType;
  switch (context?.case) {
    case undefined:
      return undefined;
    case "combinedValidationContext":
      return context.value.defaultValidationContext ?? { matchTypedSubjectAltNames: [] };
    case "validationContext":
      return context.value;
    case "validationContextSdsSecretConfig":
      return { matchTypedSubjectAltNames: [] };
    default:
      throw new Undecidable(`certificate validation by ${context?.case}`);
  }
}

function faultOf(
  { uri, trusted, expired }: { uri: string; trusted: boolean; expired: boolean },
  names: readonly SubjectAltNameMatcher[],
): string | undefined {
  if (!trusted) return "the client's certificate is of another authority";
  if (expired) return "the client's certificate has expired";
  if (names.length > 0 && !matchesName(names, { uris: [uri], dns: [] })) return `no name that is trusted matches ${uri}`;
  return undefined;
}

export function matchesName(
  matchers: readonly SubjectAltNameMatcher[],
  names: { readonly uris: readonly string[]; readonly dns: readonly string[] },
): boolean {
  return matchers.some(({ sanType, matcher }) => {
    if (matcher === undefined) return false;
    if (sanType === SanType.URI) return names.uris.some((name) => matchesString(matcher, name));
    if (sanType === SanType.DNS) return names.dns.some((name) => matchesDns(matcher, name));
    return false;
  });
}

/** A certificate's `*.example.com` stands for one label (Envoy takes it so for exact matches). */
function matchesDns(matcher: NonNullable<SubjectAltNameMatcher["matcher"]>, name: string): boolean {
  const wanted = matcher.matchPattern;
  if (wanted.case === "exact" && name.startsWith("*.")) {
    const dot = wanted.value.indexOf(".");
    return dot > 0 && wanted.value.slice(dot).toLowerCase() === name.slice(1).toLowerCase();
  }
  return matchesString(matcher, name);
}
