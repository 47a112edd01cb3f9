import { create } from "@bufbuild/protobuf";
import { type TransportSocket, TransportSocketSchema } from "../../gen/envoy/config/core/v3/base_pb.js";
import {
  type CertificateValidationContext,
  CertificateValidationContextSchema,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType as SanType,
  SubjectAltNameMatcherSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from "../../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import { type SdsSecretConfig, SdsSecretConfigSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import {
  type CommonTlsContext,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import type { StringMatch } from "../../ir/match.ts";
import type { ClientTls, ServerTls } from "../../ir/tls.ts";
import { packAny } from "./any.ts";
import { adsSource } from "./extension-slot.ts";
import { toStringMatcher } from "./match.ts";
import { TRANSPORT_SOCKET_TLS } from "./names.ts";
import type { EnvoyResource } from "./resource.ts";

const SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt";
const VERSION = { "1.2": TlsProtocol.TLSv1_2, "1.3": TlsProtocol.TLSv1_3 } as const;

/** TLS as a listener's chain ends it. */
export function toDownstreamTls(tls: ServerTls): TransportSocket {
  const { clients } = tls;
  const validation = clients.kind === "none" ? undefined : sdsValidation(clients.trustSecret, clients.names);
  const common = create(CommonTlsContextSchema, {
    tlsParams: {
      tlsMinimumProtocolVersion: VERSION[tls.minVersion],
      ...(tls.maxVersion !== undefined && { tlsMaximumProtocolVersion: VERSION[tls.maxVersion] }),
      cipherSuites: [...(tls.cipherSuites ?? [])],
    },
    alpnProtocols: [...tls.alpn],
    tlsCertificateSdsSecretConfigs: [sdsSecret(tls.certificateSecret)],
    ...(validation !== undefined && { validationContextType: validation }),
  });
  const config = packAny(DownstreamTlsContextSchema, {
    commonTlsContext: common,
    // A resumed session would not be checked against a trust bundle that has changed since (CVE-2022-21654).
    ...(clients.kind !== "none" && {
      requireClientCertificate: clients.kind === "required",
      sessionTicketKeysType: { case: "disableStatelessSessionResumption", value: true },
      disableStatefulSessionResumption: true,
    }),
  });
  return tlsSocket(config);
}

/** TLS as a cluster begins it. */
export function toUpstreamTls(tls: ClientTls): TransportSocket {
  const common = create(CommonTlsContextSchema, {
    alpnProtocols: [...tls.alpn],
    ...(tls.mode === "istio-mutual" && {
      tlsParams: { tlsMinimumProtocolVersion: TlsProtocol.TLSv1_2, tlsMaximumProtocolVersion: TlsProtocol.TLSv1_3 },
    }),
    ...(tls.certificateSecret !== undefined && { tlsCertificateSdsSecretConfigs: [sdsSecret(tls.certificateSecret)] }),
    ...validationOf(tls),
  });
  // Without a server name there is none to compare with: `autoSni` is set by the cluster's protocol options.
  return tlsSocket(packAny(UpstreamTlsContextSchema, { commonTlsContext: common, sni: tls.sni ?? "" }));
}

/** The user's Secrets that this TLS names; `default` and `ROOTCA` come from the agent and are not listed. */
export function secretReferences(tls: ServerTls | ClientTls): EnvoyResource["references"] {
  const names = "clients" in tls ? serverSecrets(tls) : clientSecrets(tls);
  return names.filter((name) => name.startsWith("kubernetes://")).map((name) => ({ type: "secret", name }));
}

function serverSecrets(tls: ServerTls): readonly string[] {
  return tls.clients.kind === "none" ? [tls.certificateSecret] : [tls.certificateSecret, tls.clients.trustSecret];
}

function clientSecrets(tls: ClientTls): readonly string[] {
  return [tls.certificateSecret ?? "", "secret" in tls.trust ? tls.trust.secret : ""];
}

function validationOf(tls: ClientTls): { validationContextType?: CommonTlsContext["validationContextType"] } {
  if ("unchecked" in tls.trust) return {};
  if ("secret" in tls.trust) return { validationContextType: sdsValidation(tls.trust.secret, tls.names) };
  const filename = "file" in tls.trust ? tls.trust.file : SYSTEM_ROOTS;
  const value = create(CertificateValidationContextSchema, {
    trustedCa: { specifier: { case: "filename", value: filename } },
    matchTypedSubjectAltNames: tls.names.flatMap(toSanMatchers),
  });
  return { validationContextType: { case: "validationContext", value } };
}

function sdsValidation(trustSecret: string, names: readonly StringMatch[]): CommonTlsContext["validationContextType"] {
  const defaultValidationContext: CertificateValidationContext = create(CertificateValidationContextSchema, {
    matchTypedSubjectAltNames: names.flatMap(toSanMatchers),
  });
  return {
    case: "combinedValidationContext",
    value: {
      $typeName: "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext",
      defaultValidationContext,
      validationContextSdsSecretConfig: sdsSecret(trustSecret),
    },
  };
}

/** Identities are URIs; any other name may stand as DNS name or as URI. */
function toSanMatchers(name: StringMatch): SubjectAltNameMatcher[] {
  const types = name.value.startsWith("spiffe://") ? [SanType.URI] : [SanType.DNS, SanType.URI];
  return types.map((sanType) => create(SubjectAltNameMatcherSchema, { sanType, matcher: toStringMatcher(name) }));
}

function sdsSecret(name: string): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name, sdsConfig: adsSource() });
}

function tlsSocket(typedConfig: ReturnType<typeof packAny>): TransportSocket {
  return create(TransportSocketSchema, { name: TRANSPORT_SOCKET_TLS, configType: { case: "typedConfig", value: typedConfig } });
}
