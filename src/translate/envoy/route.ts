import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  type HeaderMatcher,
  type QueryParameterMatcher,
  QueryParameterMatcherSchema,
  type RedirectAction as EnvoyRedirect,
  RedirectAction_RedirectResponseCode as RedirectCode,
  RedirectActionSchema,
  type Route as EnvoyRoute,
  type RouteMatch as EnvoyMatch,
  RouteMatchSchema,
  RouteSchema,
} from "../../gen/envoy/config/route/v3/route_components_pb.js";
import { CorsPolicySchema } from "../../gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { HTTPFaultSchema } from "../../gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import type { HeaderMatch } from "../../ir/match.ts";
import type { CorsPolicy, FaultInjection, RedirectAction, Route, RouteMatch } from "../../ir/route.ts";
import { packAny, toDuration } from "./any.ts";
import { istioMetadata } from "./istio-metadata.ts";
import { toHeaderMatcher, toStringMatcher } from "./match.ts";
import { FILTER } from "./names.ts";
import { toRouteAction } from "./route-action.ts";
import { toFraction, toHeaderOptions } from "./route-value.ts";

export function toEnvoyRoute(route: Route): EnvoyRoute {
  const { action, requestHeaders, responseHeaders } = route;
  const metadata = istioMetadata(route.origin);
  return create(RouteSchema, {
    name: route.name,
    match: toMatch(route.match),
    action: toAction(action),
    ...(requestHeaders !== undefined && {
      requestHeadersToAdd: toHeaderOptions(requestHeaders),
      requestHeadersToRemove: [...(requestHeaders.remove ?? [])],
    }),
    ...(responseHeaders !== undefined && {
      responseHeadersToAdd: toHeaderOptions(responseHeaders),
      responseHeadersToRemove: [...(responseHeaders.remove ?? [])],
    }),
    ...(action.kind === "forward" && { typedPerFilterConfig: filterConfig(action) }),
    ...(metadata !== undefined && { metadata }),
  });
}

function toMatch({ path, headers, query }: RouteMatch): EnvoyMatch {
  return create(RouteMatchSchema, {
    pathSpecifier: toPath(path),
    ...(path.ignoreCase === true && { caseSensitive: false }),
    headers: headers.map(toRouteHeader),
    queryParameters: query.map(toQueryParameter),
  });
}

function toPath({
  kind,
  value,
}: RouteMatch["path"]): NonNullable<Exclude<MessageInitShape<typeof RouteMatchSchema>, { $typeName: string }>["pathSpecifier"]> {
  switch (kind) {
    case "exact":
      return { case: "path", value };
    case "prefix":
      return { case: "prefix", value };
    case "path-separated-prefix":
      return { case: "pathSeparatedPrefix", value };
    case "regex":
      return { case: "safeRegex", value: { regex: value } };
  }
}

function toQueryParameter({ name, value }: RouteMatch["query"][number]): QueryParameterMatcher {
  if (value.kind === "present")
    return create(QueryParameterMatcherSchema, { name, queryParameterMatchSpecifier: { case: "presentMatch", value: true } });
  return create(QueryParameterMatcherSchema, {
    name,
    queryParameterMatchSpecifier: { case: "stringMatch", value: toStringMatcher(value) },
  });
}

/** "Without this value" is true of a request that has no such header at all; Envoy needs to be told. */
function toRouteHeader(header: HeaderMatch): HeaderMatcher {
  const matcher = toHeaderMatcher(header);
  if (header.invert === true && header.value.kind !== "present") matcher.treatMissingHeaderAsEmpty = true;
  return matcher;
}

function toAction(action: Route["action"]): EnvoyRoute["action"] {
  switch (action.kind) {
    case "forward":
      return { case: "route", value: toRouteAction(action) };
    case "redirect":
      return { case: "redirect", value: toRedirect(action) };
    case "direct":
      return {
        case: "directResponse",
        value: {
          $typeName: "envoy.config.route.v3.DirectResponseAction",
          status: action.status,
          ...(action.body !== undefined && {
            body: { $typeName: "envoy.config.core.v3.DataSource", specifier: { case: "inlineBytes", value: action.body } } as const,
          }),
        },
      };
  }
}

const REDIRECT_CODE = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
} as const;

function toRedirect({ status, scheme, host = "", port = 0, path, pathPrefix }: RedirectAction): EnvoyRedirect {
  return create(RedirectActionSchema, {
    hostRedirect: host,
    portRedirect: port,
    responseCode: REDIRECT_CODE[status],
    ...(scheme !== undefined && { schemeRewriteSpecifier: { case: "schemeRedirect", value: scheme } }),
    ...(path !== undefined
      ? { pathRewriteSpecifier: { case: "pathRedirect", value: path } }
      : pathPrefix !== undefined && { pathRewriteSpecifier: { case: "prefixRewrite", value: pathPrefix } }),
  });
}

function filterConfig({ cors, fault }: { readonly cors?: CorsPolicy; readonly fault?: FaultInjection }): Record<string, Any> {
  return { ...(cors !== undefined && { [FILTER.cors]: toCors(cors) }), ...(fault !== undefined && { [FILTER.fault]: toFault(fault) }) };
}

function toCors(cors: CorsPolicy): Any {
  return packAny(CorsPolicySchema, {
    allowOriginStringMatch: cors.allowOrigins.map(toStringMatcher),
    allowMethods: cors.allowMethods.join(","),
    allowHeaders: cors.allowHeaders.join(","),
    exposeHeaders: cors.exposeHeaders.join(","),
    ...(cors.maxAgeMs !== undefined && { maxAge: String(Math.floor(cors.maxAgeMs / 1000)) }),
    ...(cors.allowCredentials !== undefined && { allowCredentials: cors.allowCredentials }),
    ...(cors.forwardNotMatchingPreflights !== undefined && { forwardNotMatchingPreflights: cors.forwardNotMatchingPreflights }),
    filterEnabled: { defaultValue: toFraction(100) },
  });
}

function toFault({ delay, abort }: FaultInjection): Any {
  return packAny(HTTPFaultSchema, {
    ...(delay !== undefined && {
      delay: { percentage: toFraction(delay.percent), faultDelaySecifier: { case: "fixedDelay", value: toDuration(delay.fixedMs) } },
    }),
    ...(abort !== undefined && {
      abort: {
        percentage: toFraction(abort.percent),
        errorType:
          abort.grpcStatus !== undefined
            ? { case: "grpcStatus", value: abort.grpcStatus }
            : { case: "httpStatus", value: abort.httpStatus ?? 500 },
      },
    }),
  });
}
