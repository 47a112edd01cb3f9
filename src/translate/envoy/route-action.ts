import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type RetryPolicy as EnvoyRetry,
  RetryPolicySchema,
  type RouteAction,
  RouteActionSchema,
} from "../../gen/envoy/config/route/v3/route_components_pb.js";
import { PreviousHostsPredicateSchema } from "../../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { PreviousPrioritiesConfigSchema } from "../../gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js";
import type { Destination, ForwardAction, HashPolicy, RetryPolicy } from "../../ir/route.ts";
import { packAny, toDuration } from "./any.ts";
import { toFraction, toHeaderOptions } from "./route-value.ts";

type ActionInit = Exclude<MessageInitShape<typeof RouteActionSchema>, { $typeName: string }>;

export function toRouteAction(action: ForwardAction): RouteAction {
  const { rewrite, retry, mirrors = [], hashPolicy = [], timeoutMs = 0 } = action;
  return create(RouteActionSchema, {
    clusterSpecifier: clusterSpecifier(action.destinations),
    // 0: none. Left out, Envoy would end every request after 15 s.
    timeout: toDuration(timeoutMs),
    // A gRPC caller's own deadline holds, within ours.
    ...(action.timedByCaller !== true && { maxGrpcTimeout: toDuration(timeoutMs) }),
    ...(rewrite?.host !== undefined && { hostRewriteSpecifier: { case: "hostRewriteLiteral", value: rewrite.host } }),
    ...(rewrite?.path !== undefined && { prefixRewrite: rewrite.path }),
    ...(rewrite?.pathRegex !== undefined && {
      regexRewrite: { pattern: { regex: rewrite.pathRegex.match }, substitution: rewrite.pathRegex.substitution },
    }),
    ...(retry !== undefined && { retryPolicy: toRetryPolicy(retry) }),
    requestMirrorPolicies: mirrors.map(({ cluster, percent }) => ({
      cluster,
      runtimeFraction: { defaultValue: toFraction(percent) },
      traceSampled: false,
    })),
    hashPolicy: hashPolicy.map(toHashPolicy),
  });
}

function clusterSpecifier(destinations: readonly Destination[]): NonNullable<ActionInit["clusterSpecifier"]> {
  const [only, ...others] = destinations;
  const plain = only !== undefined && only.requestHeaders === undefined && only.responseHeaders === undefined;
  if (plain && others.length === 0) return { case: "cluster", value: only.cluster };
  return {
    case: "weightedClusters",
    value: {
      clusters: destinations.map(({ cluster, weight, requestHeaders, responseHeaders }) => ({
        name: cluster,
        weight,
        ...(requestHeaders !== undefined && {
          requestHeadersToAdd: toHeaderOptions(requestHeaders),
          requestHeadersToRemove: [...(requestHeaders.remove ?? [])],
        }),
        ...(responseHeaders !== undefined && {
          responseHeadersToAdd: toHeaderOptions(responseHeaders),
          responseHeadersToRemove: [...(responseHeaders.remove ?? [])],
        }),
      })),
    },
  };
}

/** Another endpoint is tried up to this often before one that failed is taken again (Istio's number). */
const HOST_SELECTION_ATTEMPTS = 5n;
const LONGEST_BACKOFF_FACTOR = 10;

function toRetryPolicy(retry: RetryPolicy): EnvoyRetry {
  const { backoffMs, perTryTimeoutMs } = retry;
  return create(RetryPolicySchema, {
    retryOn: retry.on.join(","),
    numRetries: retry.attempts,
    retriableStatusCodes: [...retry.statusCodes],
    ...(perTryTimeoutMs !== undefined && { perTryTimeout: toDuration(perTryTimeoutMs) }),
    ...(backoffMs !== undefined && {
      retryBackOff: { baseInterval: toDuration(backoffMs), maxInterval: toDuration(backoffMs * LONGEST_BACKOFF_FACTOR) },
    }),
    ...(retry.ignorePreviousHosts && {
      retryHostPredicate: [
        {
          name: "envoy.retry_host_predicates.previous_hosts",
          configType: { case: "typedConfig", value: packAny(PreviousHostsPredicateSchema, {}) },
        },
      ],
      hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS,
    }),
    ...(retry.retryRemoteLocalities === true && {
      retryPriority: {
        name: "envoy.retry_priorities.previous_priorities",
        configType: { case: "typedConfig", value: packAny(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }) },
      },
    }),
  });
}

function toHashPolicy(policy: HashPolicy): NonNullable<ActionInit["hashPolicy"]>[number] {
  switch (policy.kind) {
    case "header":
      return { policySpecifier: { case: "header", value: { headerName: policy.name } } };
    case "query":
      return { policySpecifier: { case: "queryParameter", value: { name: policy.name } } };
    case "source-ip":
      return { policySpecifier: { case: "connectionProperties", value: { sourceIp: true } } };
    case "cookie":
      return {
        policySpecifier: {
          case: "cookie",
          value: { name: policy.name, path: policy.path ?? "", ...(policy.ttlMs !== undefined && { ttl: toDuration(policy.ttlMs) }) },
        },
      };
  }
}
