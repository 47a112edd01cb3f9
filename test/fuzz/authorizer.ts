import { CHECK_LIMIT_MS } from "./delay.ts";
import type { Document } from "./document.ts";
import type { Draw } from "./draw.ts";

/** What of an authorizer requests are drawn near to. */
export interface AuthorizerLimits {
  /** Largest body that one of the authorizers is shown. */
  readonly bodyBytes?: number;
  /** How long one may take. */
  readonly timeoutMs?: number;
}

export interface DrawnAuthorizer extends AuthorizerLimits {
  readonly name: string;
  /** As MeshConfig's `extensionProviders` has it. */
  readonly provider: Readonly<Record<string, unknown>>;
}

/** Far below what a proxy holds back, and just what a gateway does; a part of a larger body than that depends on how it comes. */
const BODY_LIMITS = [8, 1024, 32_768];

/** Authorizers by HTTP and gRPC, which answer as the request asks; one is not there. None in some meshes. */
export function drawAuthorizers(draw: Draw): readonly DrawnAuthorizer[] {
  return draw.many(0, draw.one([1, 2, 2]), (i) => {
    const name = `judge-${i}`;
    const isHttp = draw.chance(60);
    const host = draw.chance(85) ? "judge" : draw.one(["empty", "ghost"]);
    const bytes = draw.chance(75) ? draw.one(BODY_LIMITS) : undefined;
    const isShort = draw.chance(25);
    const common = {
      service: `${host}.shop.svc.cluster.local`,
      port: host === "judge" ? (isHttp ? 8000 : 9001) : 80,
      ...(isShort && { timeout: `${CHECK_LIMIT_MS}ms` }),
      ...draw.maybe(20, () => ({ failOpen: true })),
      ...draw.maybe(25, () => ({ statusOnError: draw.one(["503", "401", "500"]) })),
      ...draw.maybe(20, () => ({ clearRouteCache: true })),
      ...(bytes !== undefined && {
        includeRequestBodyInCheck: {
          maxRequestBytes: bytes,
          ...draw.maybe(45, () => ({ allowPartialMessage: draw.chance(75) })),
          ...draw.maybe(30, () => ({ packAsBytes: true })),
        },
      }),
    };
    const provider = isHttp ? { name, envoyExtAuthzHttp: { ...common, ...drawHttp(draw) } } : { name, envoyExtAuthzGrpc: common };
    return { name, provider, ...(bytes !== undefined && { bodyBytes: bytes }), ...(isShort && { timeoutMs: CHECK_LIMIT_MS }) };
  });
}

/** What only a check by HTTP has. */
function drawHttp(draw: Draw): object {
  return {
    ...draw.maybe(85, () => ({
      includeRequestHeadersInCheck: draw.one([["x-echo-status", "x-echo-delay-ms"], ["x-echo-*"], ["X-Echo-Status", "x-user"]]),
    })),
    ...draw.maybe(20, () => ({ includeAdditionalHeadersInCheck: { "x-asked-by": "a proxy" } })),
    ...draw.maybe(20, () => ({ pathPrefix: "/check" })),
    ...draw.maybe(20, () => ({ headersToUpstreamOnAllow: ["x-echo"] })),
    ...draw.maybe(20, () => ({ headersToDownstreamOnDeny: ["x-echo"] })),
  };
}

/** Where most requests go. */
const TARGETS = [
  { namespace: "shop", app: { app: "users" } },
  { namespace: "shop", app: { app: "users" } },
  { namespace: "shop", app: { app: "orders" } },
  { namespace: "istio-system", app: { istio: "ingressgateway" } },
] as const;

/** Who asks which of them, about which requests. */
export function drawCustomPolicies(draw: Draw, authorizers: readonly DrawnAuthorizer[]): readonly Document[] {
  return authorizers.map(({ name }, i) => {
    const { namespace, app } = draw.one(TARGETS);
    const rules = draw.weighted<readonly object[]>([
      [5, () => [{}]],
      [2, () => [{ to: [{ operation: { notPaths: [draw.one(["/admin", "/items/*"])] } }] }]],
      [2, () => [{ to: [{ operation: { methods: ["POST", "PUT"] } }] }]],
      [1, () => [{ when: [{ key: "request.headers[x-user]", values: ["*"] }] }]],
    ]);
    const spec = { selector: { matchLabels: app }, action: "CUSTOM", provider: { name }, rules };
    return { apiVersion: "security.istio.io/v1", kind: "AuthorizationPolicy", metadata: { namespace, name: `ask-${i}` }, spec };
  });
}
