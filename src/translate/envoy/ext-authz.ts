import type { MessageInitShape } from "@bufbuild/protobuf";
import { ApiVersion } from "../../gen/envoy/config/core/v3/config_source_pb.js";
import type { AuthorizationResponseSchema, ExtAuthzSchema } from "../../gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js";
import type { RBACSchema } from "../../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import type { ExternalAuthorizer } from "../../ir/authorizer.ts";
import type { StringMatch } from "../../ir/match.ts";
import type { AuthorizationRules } from "../../ir/policy.ts";
import { toDuration } from "./any.ts";
import { toStringMatcher } from "./match.ts";
import { toRbac } from "./rbac.ts";

/** Names what the matching filter leaves behind for the asking one (Istio's words). */
const SHADOW_PREFIX = "istio_ext_authz_";
const RBAC_METADATA = "envoy.filters.http.rbac";

/** Decides nothing: it only writes down which rule asks for the authorizer. */
export function toAuthorizerRules(rules: AuthorizationRules): MessageInitShape<typeof RBACSchema> {
  const shadowRules = toRbac("DENY", rules);
  return shadowRules === undefined ? {} : { shadowRules, shadowRulesStatPrefix: SHADOW_PREFIX };
}

/** Asks the authorizer about the requests that a rule was written down for, and about no others. */
export function toExtAuthz(authorizer: ExternalAuthorizer): MessageInitShape<typeof ExtAuthzSchema> {
  const { failOpen, statusOnError, clearRouteCache, body, http } = authorizer;
  return {
    transportApiVersion: ApiVersion.V3,
    services: servicesOf(authorizer),
    failureModeAllow: failOpen,
    statusOnError: { code: statusOnError as number },
    clearRouteCache,
    ...(body !== undefined && {
      withRequestBody: { maxRequestBytes: body.maxBytes, allowPartialMessage: body.allowPartial, packAsBytes: body.packAsBytes },
    }),
    ...(http !== undefined && http.requestHeaders.length > 0 && { allowedHeaders: patterns(http.requestHeaders) }),
    filterEnabledMetadata: {
      filter: RBAC_METADATA,
      path: [{ segment: { case: "key", value: `${SHADOW_PREFIX}shadow_effective_policy_id` } }],
      value: { matchPattern: { case: "stringMatch", value: { matchPattern: { case: "prefix", value: "ns[" } } } },
    },
  };
}

function servicesOf(
  authorizer: ExternalAuthorizer,
): NonNullable<Exclude<MessageInitShape<typeof ExtAuthzSchema>, { $typeName: string }>["services"]> {
  const { cluster, authority, timeoutMs, http } = authorizer;
  const timeout = toDuration(timeoutMs);
  if (http === undefined)
    return { case: "grpcService", value: { targetSpecifier: { case: "envoyGrpc", value: { clusterName: cluster, authority } }, timeout } };
  const headersToAdd = Object.entries(http.additionalHeaders).map(([key, value]) => ({ key, value }));
  return {
    case: "httpService",
    value: {
      serverUri: { uri: `http://${authority}`, httpUpstreamType: { case: "cluster", value: cluster }, timeout },
      pathPrefix: http.pathPrefix,
      authorizationRequest: { headersToAdd },
      authorizationResponse: responseOf(http),
    },
  };
}

function responseOf(http: NonNullable<ExternalAuthorizer["http"]>): MessageInitShape<typeof AuthorizationResponseSchema> {
  const { upstreamOnAllow, downstreamOnDeny, downstreamOnAllow } = http;
  return {
    ...(upstreamOnAllow.length > 0 && { allowedUpstreamHeaders: patterns(upstreamOnAllow) }),
    ...(downstreamOnDeny.length > 0 && { allowedClientHeaders: patterns(downstreamOnDeny) }),
    ...(downstreamOnAllow.length > 0 && { allowedClientHeadersOnSuccess: patterns(downstreamOnAllow) }),
  };
}

function patterns(matches: readonly StringMatch[]) {
  return { patterns: matches.map(toStringMatcher) };
}
