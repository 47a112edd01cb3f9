import { become, type Change, drop, evenWeights, swapPrefixAndExact, swapStar, swapWithNext } from "./change.ts";

/** What is changed in resources of a kind: where (`findPlaces`), and how. */
export interface Operator {
  readonly kind: string;
  readonly at: string;
  readonly change: Change;
}

const FLIPPED = { ALLOW: "DENY", DENY: "ALLOW" };
const LOOSENED = { STRICT: "PERMISSIVE", PERMISSIVE: "STRICT", DISABLE: "STRICT" };
const OPENED = { REGISTRY_ONLY: "ALLOW_ANY", ALLOW_ANY: "REGISTRY_ONLY" };
const CLIENT_TLS = { ISTIO_MUTUAL: "DISABLE", MUTUAL: "DISABLE", SIMPLE: "DISABLE", DISABLE: "ISTIO_MUTUAL" };

/**
 * Every change that is tried, one a line, what takes much away first: of two that leave the same behind the first is named. What no single call could notice (pools,
 * outlier detection) is left alone.
 */
export const OPERATORS: readonly Operator[] = [
  operator("AuthorizationPolicy", "", drop),
  operator("AuthorizationPolicy", "spec", become("action", FLIPPED, "ALLOW")),
  operator("AuthorizationPolicy", "spec.rules.*", drop),
  operator("AuthorizationPolicy", "spec.rules.*.{from,to,when}", drop),
  operator("AuthorizationPolicy", "spec.rules.*|{from,to,when}.*", drop),
  operator("AuthorizationPolicy", "spec.rules.*|from.*.source.*", drop),
  operator("AuthorizationPolicy", "spec.rules.*|from.*.source.*.*", drop),
  operator("AuthorizationPolicy", "spec.rules.*|to.*.operation.*", drop),
  operator("AuthorizationPolicy", "spec.rules.*|to.*.operation.*.*", drop),
  operator("AuthorizationPolicy", "spec.rules.*.when.*.{values,notValues}", drop),
  operator("AuthorizationPolicy", "spec.rules.*.when.*|{values,notValues}.*", drop),
  operator("AuthorizationPolicy", "spec.rules.*.to.*.operation.{paths,notPaths,hosts,notHosts}.*", swapStar),
  operator("AuthorizationPolicy", "spec.selector", drop),

  operator("PeerAuthentication", "", drop),
  operator("PeerAuthentication", "spec.mtls", become("mode", LOOSENED)),
  operator("PeerAuthentication", "spec.mtls", drop),
  operator("PeerAuthentication", "spec.portLevelMtls.*", become("mode", LOOSENED)),
  operator("PeerAuthentication", "spec|portLevelMtls.*", drop),
  operator("PeerAuthentication", "spec.selector", drop),

  operator("RequestAuthentication", "", drop),
  operator("RequestAuthentication", "spec.jwtRules.*", drop),
  operator("RequestAuthentication", "spec.jwtRules.*|{audiences,fromHeaders,fromParams,fromCookies,outputClaimToHeaders}", drop),
  operator("RequestAuthentication", "spec.jwtRules.*|{audiences,fromHeaders,fromParams,fromCookies,outputClaimToHeaders}.*", drop),
  operator("RequestAuthentication", "spec.jwtRules.*.{outputPayloadToHeader,forwardOriginalToken}", drop),
  operator("RequestAuthentication", "spec.selector", drop),

  operator("VirtualService", "", drop),
  operator("VirtualService", "spec.{http,tls,tcp}.*", drop),
  operator("VirtualService", "spec.{http,tls,tcp}.*", swapWithNext),
  operator("VirtualService", "spec.{hosts,gateways}.*", drop),
  operator("VirtualService", "spec.http.*.match", drop),
  operator("VirtualService", "spec.http.*|match.*", drop),
  operator("VirtualService", "spec.http.*|match.*.{uri,method,authority,scheme,port,gateways,sourceLabels,sourceNamespace}", drop),
  operator("VirtualService", "spec.http.*|match.*.{headers,withoutHeaders,queryParams}.*", drop),
  operator("VirtualService", "spec.http.*.match.*.ignoreUriCase", drop),
  operator("VirtualService", "spec.http.*.match.*.{uri,method,authority,scheme}", swapPrefixAndExact),
  operator("VirtualService", "spec.http.*.match.*.{headers,withoutHeaders,queryParams}.*", swapPrefixAndExact),
  operator("VirtualService", "spec.{tls,tcp}.*|match.*", drop),
  operator("VirtualService", "spec.{tls,tcp}.*|match.*.{port,gateways,sourceLabels,sourceNamespace,destinationSubnets}", drop),
  operator("VirtualService", "spec.tls.*.match.*.sniHosts.*", drop),
  operator("VirtualService", "spec.{http,tls,tcp}.*.route", evenWeights),
  operator("VirtualService", "spec.{http,tls,tcp}.*.route.*", drop),
  operator("VirtualService", "spec.{http,tls,tcp}.*.route.*.destination.{subset,port}", drop),
  operator("VirtualService", "spec.http.*.{retries,timeout,fault,mirror,mirrors,rewrite,headers,corsPolicy}", drop),
  operator("VirtualService", "spec.http.*|fault.{abort,delay}", drop),
  operator("VirtualService", "spec.http.*.redirect.{uri,authority,port,derivePort,scheme,redirectCode}", drop),
  operator("VirtualService", "spec.http.*|rewrite.{uri,authority,uriRegexRewrite}", drop),
  operator("VirtualService", "spec.http.*|headers.{request,response}.{set,add,remove}.*", drop),
  operator("VirtualService", "spec.http.*.route.*|headers.{request,response}.{set,add,remove}.*", drop),
  operator("VirtualService", "spec.http.*.corsPolicy.{allowOrigins,allowMethods,allowHeaders}.*", drop),
  operator("VirtualService", "spec.exportTo", drop),

  operator("DestinationRule", "spec.trafficPolicy.tls", become("mode", CLIENT_TLS)),
  operator("DestinationRule", "spec|trafficPolicy.{tls,loadBalancer,portLevelSettings}", drop),
  operator("DestinationRule", "spec|subsets.*", drop),
  operator("DestinationRule", "spec.subsets.*|labels.*", drop),
  operator("DestinationRule", "spec.subsets.*|trafficPolicy.{tls,loadBalancer,portLevelSettings}", drop),
  operator("DestinationRule", "spec.exportTo", drop),

  operator("Gateway", "", drop),
  operator("Gateway", "spec.servers.*", drop),
  operator("Gateway", "spec.servers.*.hosts.*", drop),
  operator("Gateway", "spec.servers.*|tls.httpsRedirect", drop),
  operator("Gateway", "spec.servers.*.tls", become("mode", { MUTUAL: "SIMPLE" })),

  operator("ServiceEntry", "", drop),
  operator("ServiceEntry", "spec.{hosts,ports,endpoints,addresses}.*", drop),
  operator("ServiceEntry", "spec.exportTo", drop),

  operator("MeshConfig", "outboundTrafficPolicy", become("mode", OPENED)),
  operator("MeshConfig", "{outboundTrafficPolicy,pathNormalization,defaultHttpRetryPolicy,trustDomainAliases}", drop),
  operator("MeshConfig", "{defaultServiceExportTo,defaultVirtualServiceExportTo,defaultDestinationRuleExportTo}", drop),
];

function operator(kind: string, at: string, change: Change): Operator {
  return { kind, at, change };
}
