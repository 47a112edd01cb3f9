/** The fields of Istio's MeshConfig (istio.mesh.v1alpha1) that we honour, and our own defaults by profile. */
export interface MeshConfigBody {
  readonly rootNamespace?: string;
  readonly trustDomain?: string;
  readonly trustDomainAliases?: readonly string[];
  readonly connectTimeout?: string;
  readonly protocolDetectionTimeout?: string;
  readonly enableAutoMtls?: boolean;
  readonly outboundTrafficPolicy?: { readonly mode?: "REGISTRY_ONLY" | "ALLOW_ANY" };
  readonly pathNormalization?: { readonly normalization?: "DEFAULT" | "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES" };
  readonly accessLogFile?: string;
  readonly accessLogFormat?: string;
  readonly accessLogEncoding?: "TEXT" | "JSON";
  readonly defaultServiceExportTo?: readonly string[];
  readonly defaultVirtualServiceExportTo?: readonly string[];
  readonly defaultDestinationRuleExportTo?: readonly string[];
  readonly defaultHttpRetryPolicy?: { readonly attempts?: number; readonly perTryTimeout?: string; readonly retryOn?: string };
  readonly defaultConfig?: { readonly gatewayTopology?: { readonly numTrustedProxies?: number } };
}

export type Profile = "zero-trust" | "istio";
