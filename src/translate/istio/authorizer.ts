import type { ExternalAuthorizer } from "../../ir/authorizer.ts";
import { formatClusterName } from "../../ir/cluster-name.ts";
import type { Authorizer, Scope } from "../../mesh/index.ts";
import { toStringMatch } from "./authorization-policy-value.ts";

/** An authorizer as a proxy can ask it, or why it can't. */
export type ReachableAuthorizer = { readonly authorizer: ExternalAuthorizer } | { readonly problem: string };

/** Those that a proxy's policies name. */
export function authorizersOf(scope: Scope, names: Iterable<string>): ReadonlyMap<string, ReachableAuthorizer> {
  const declared = new Map(scope.settings.authorizers.map((authorizer) => [authorizer.name, authorizer]));
  return new Map([...new Set(names)].toSorted().map((name) => [name, reach(scope, name, declared.get(name))]));
}

function reach(scope: Scope, name: string, authorizer: Authorizer | undefined): ReachableAuthorizer {
  if (authorizer === undefined) return { problem: `MeshConfig declares no authorizer "${name}" in extensionProviders` };
  const { kind, host, port, timeoutMs, failOpen, statusOnError, clearRouteCache, body, http, origin } = authorizer;
  const service = scope.services.get(host);
  if (service === undefined) return { problem: `authorizer "${name}" is at "${host}", which no service that this workload sees has` };
  if (!service.ports.some(({ number }) => number === port))
    return { problem: `authorizer "${name}" is at port ${port}, which "${host}" does not have` };
  return {
    authorizer: {
      kind,
      cluster: formatClusterName({ direction: "outbound", port, subset: "", host }),
      authority: host,
      timeoutMs,
      failOpen,
      statusOnError,
      clearRouteCache,
      ...(body !== undefined && { body }),
      ...(http !== undefined && {
        http: {
          pathPrefix: http.pathPrefix,
          additionalHeaders: http.additionalHeaders,
          requestHeaders: http.requestHeaders.map(toHeaderNameMatch),
          upstreamOnAllow: http.upstreamOnAllow.map(toHeaderNameMatch),
          downstreamOnDeny: http.downstreamOnDeny.map(toHeaderNameMatch),
          downstreamOnAllow: http.downstreamOnAllow.map(toHeaderNameMatch),
        },
      }),
      origin: [origin, service.origin],
    },
  };
}

function toHeaderNameMatch(name: string) {
  return { ...toStringMatch(name.toLowerCase()), ignoreCase: true };
}
