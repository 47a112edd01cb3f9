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
  readonly defaultServiceExportTo?: readonly string[];
  readonly defaultVirtualServiceExportTo?: readonly string[];
  readonly defaultDestinationRuleExportTo?: readonly string[];
  readonly defaultHttpRetryPolicy?: { readonly attempts?: number; readonly perTryTimeout?: string; readonly retryOn?: string };
  readonly defaultConfig?: {
    readonly gatewayTopology?: { readonly numTrustedProxies?: number };
    readonly terminationDrainDuration?: string;
    readonly proxyMetadata?: Readonly<Record<string, unknown>>;
  };
  readonly extensionProviders?: readonly ExtensionProviderBody[];
}

/** Of the kinds of providers, those that are asked about requests. */
export interface ExtensionProviderBody {
  readonly name?: string;
  readonly envoyExtAuthzHttp?: ExtAuthzHttpBody;
  readonly envoyExtAuthzGrpc?: ExtAuthzBody;
}

export interface ExtAuthzBody {
  /** `HOST` or `NAMESPACE/HOST`. */
  readonly service?: string;
  readonly port?: number;
  readonly timeout?: string;
  readonly failOpen?: boolean;
  readonly statusOnError?: string;
  readonly clearRouteCache?: boolean;
  readonly includeRequestBodyInCheck?: {
    readonly maxRequestBytes?: number;
    readonly allowPartialMessage?: boolean;
    readonly packAsBytes?: boolean;
  };
}

export interface ExtAuthzHttpBody extends ExtAuthzBody {
  readonly pathPrefix?: string;
  readonly includeRequestHeadersInCheck?: readonly string[];
  /** Istio's older name for the same. */
  readonly includeHeadersInCheck?: readonly string[];
  readonly includeAdditionalHeadersInCheck?: Readonly<Record<string, string>>;
  readonly headersToUpstreamOnAllow?: readonly string[];
  readonly headersToDownstreamOnDeny?: readonly string[];
  readonly headersToDownstreamOnAllow?: readonly string[];
}

export type Profile = "zero-trust" | "istio";
