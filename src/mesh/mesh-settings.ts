import { parseDuration } from "../base/duration.ts";
import { Interner } from "../base/intern.ts";
import { stableHash } from "../base/stable-hash.ts";
import { refOf, type Resource } from "../model/resource.ts";
import type { MeshConfigBody, Profile } from "../schema/mesh-config.ts";
import { ACCESS_LOG_ANNOTATION, PROFILE_ANNOTATION } from "../schema/own-annotations.ts";
import { type Authorizer, readAuthorizers } from "./authorizers.ts";

/** Everything that is decided for the whole mesh, with the profile's defaults filled in. */
export interface MeshSettings {
  readonly profile: Profile;
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly trustDomainAliases: readonly string[];
  readonly clusterDomain: string;
  /** What happens to a destination that no resource names. */
  readonly outboundMode: "registry-only" | "allow-any";
  /** mTLS mode where no PeerAuthentication speaks. */
  readonly defaultMtls: "strict" | "permissive";
  /** Endpoints without a sidecar are reached in plaintext (Istio's auto mTLS); otherwise only where a DestinationRule says so. */
  readonly plaintextAllowed: boolean;
  readonly autoMtls: boolean;
  /** A request passes only where an AuthorizationPolicy allows it. */
  readonly defaultDeny: boolean;
  readonly pathNormalization: "none" | "base" | "merge-slashes" | "decode-and-merge-slashes";
  readonly connectTimeoutMs: number;
  /** 0: wait for ever. */
  readonly protocolDetectionTimeoutMs: number;
  readonly defaultRetry: { readonly attempts: number; readonly on: readonly string[]; readonly perTryTimeoutMs?: number };
  /** No connection outlives a certificate; 0: no limit. */
  readonly maxConnectionDurationMs: number;
  /** Where each proxy writes a line for a request or connection, and for which; absent: nowhere. */
  readonly accessLog?: AccessLogSettings;
  readonly numTrustedProxies: number;
  /** Whom CUSTOM policies may name. */
  readonly authorizers: readonly Authorizer[];
  readonly defaultExportTo: {
    readonly service: readonly string[];
    readonly virtualService: readonly string[];
    readonly destinationRule: readonly string[];
  };
  /** Hash of all of the above. */
  readonly hash: string;
}

export interface AccessLogSettings {
  readonly path: string;
  readonly lines: "all" | "errors";
}

export interface MeshSettingsOptions {
  /** Wins over the annotation of MeshConfig's ConfigMap. */
  readonly profile?: Profile;
  readonly trustDomain?: string;
}

/** Where a proxy writes when nobody says otherwise: its agent keeps what it finds there. */
const STANDARD_OUTPUT = "/dev/stdout";

/** Istio's default retry conditions since 1.24: those in which the upstream can't have begun to work, and the gRPC codes that say as much. */
const DEFAULT_RETRY_ON = ["connect-failure", "refused-stream", "unavailable", "cancelled"];

/** A connection lives no longer than the certificate (1 h) that it was made with. */
const CERTIFICATE_TTL_MS = 3_600_000;

/** MeshConfig and the profile, resolved. Without a MeshConfig, all defaults; with several, the first in order of namespace and name. */
export function resolveMeshSettings(resources: readonly Resource[], options: MeshSettingsOptions = {}): MeshSettings {
  const declared = resources
    .filter((resource) => resource.kind === "MeshConfig")
    .toSorted((a, b) => (a.metadata.namespace < b.metadata.namespace ? -1 : 1))[0];
  const config = (declared?.body ?? {}) as MeshConfigBody;
  const annotated = declared?.metadata.annotations[PROFILE_ANNOTATION];
  const profile = options.profile ?? (annotated === "istio" ? "istio" : "zero-trust");
  const settings = {
    profile,
    rootNamespace: config.rootNamespace ?? declared?.metadata.namespace ?? "istio-system",
    trustDomain: options.trustDomain ?? config.trustDomain ?? "cluster.local",
    trustDomainAliases: config.trustDomainAliases ?? [],
    clusterDomain: "cluster.local",
    ...defaultsOf(profile, config),
    connectTimeoutMs: durationOr(config.connectTimeout, 10_000),
    protocolDetectionTimeoutMs: durationOr(config.protocolDetectionTimeout, 0),
    defaultRetry: defaultRetry(config),
    ...accessLog(config, profile, declared?.metadata.annotations[ACCESS_LOG_ANNOTATION]),
    authorizers: readAuthorizers(
      config,
      declared === undefined ? undefined : refOf(declared),
      config.rootNamespace ?? declared?.metadata.namespace ?? "istio-system",
    ),
    numTrustedProxies: config.defaultConfig?.gatewayTopology?.numTrustedProxies ?? 0,
    defaultExportTo: {
      service: config.defaultServiceExportTo ?? ["*"],
      virtualService: config.defaultVirtualServiceExportTo ?? ["*"],
      destinationRule: config.defaultDestinationRuleExportTo ?? ["*"],
    },
  };
  const hash = stableHash(settings);
  return known.get(hash, () => Object.freeze({ ...settings, hash }));
}

/** Equal settings are one object: what is made with them can be remembered by it. */
const known = new Interner<MeshSettings>();

function defaultsOf(profile: Profile, config: MeshConfigBody) {
  const strict = profile === "zero-trust";
  const mode = config.outboundTrafficPolicy?.mode;
  return {
    outboundMode: (mode === undefined ? strict : mode === "REGISTRY_ONLY") ? "registry-only" : "allow-any",
    defaultMtls: strict ? "strict" : "permissive",
    plaintextAllowed: !strict,
    autoMtls: config.enableAutoMtls ?? true,
    defaultDeny: strict,
    pathNormalization: pathNormalization(profile, config),
    maxConnectionDurationMs: strict ? CERTIFICATE_TTL_MS : 0,
  } as const;
}

function pathNormalization(profile: Profile, config: MeshConfigBody): MeshSettings["pathNormalization"] {
  switch (config.pathNormalization?.normalization) {
    case "NONE":
      return "none";
    case "BASE":
      return "base";
    case "MERGE_SLASHES":
      return "merge-slashes";
    case "DECODE_AND_MERGE_SLASHES":
      return "decode-and-merge-slashes";
    default:
      return profile === "zero-trust" ? "decode-and-merge-slashes" : "base";
  }
}

function defaultRetry(config: MeshConfigBody): MeshSettings["defaultRetry"] {
  const { attempts = 2, perTryTimeout, retryOn } = config.defaultHttpRetryPolicy ?? {};
  const perTryTimeoutMs = perTryTimeout === undefined ? undefined : parseDuration(perTryTimeout);
  return {
    attempts,
    on: retryOn?.split(",").map((word) => word.trim()) ?? DEFAULT_RETRY_ON,
    ...(perTryTimeoutMs !== undefined && { perTryTimeoutMs }),
  };
}

/**
 * `accessLogFile: ""` switches it off. Where nothing is said, `zero-trust` writes every line and `istio`, which as Istio itself would write
 * none, those that somebody will ask about.
 */
function accessLog(config: MeshConfigBody, profile: Profile, annotation: string | undefined): Pick<MeshSettings, "accessLog"> | undefined {
  const path = config.accessLogFile ?? STANDARD_OUTPUT;
  if (path === "" || annotation === "off") return undefined;
  const isAsked = config.accessLogFile !== undefined || profile === "zero-trust";
  const lines = annotation === "all" || annotation === "errors" ? annotation : isAsked ? "all" : "errors";
  return { accessLog: { path, lines } };
}

function durationOr(text: string | undefined, fallbackMs: number): number {
  return (text === undefined ? undefined : parseDuration(text)) ?? fallbackMs;
}
