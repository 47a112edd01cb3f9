import type { HttpFilter } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { RBAC } from "../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import type { TypedExtensionConfig } from "../gen/envoy/config/core/v3/extension_pb.js";
import type { JwtAuthentication } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { type Config, openConfig } from "./config.ts";
import { applyCors } from "./cors.ts";
import { applyFault } from "./fault.ts";
import { findRouting } from "./find-routing.ts";
import { askAuthorizer } from "./ext-authz.ts";
import type { Exchange } from "./http-chain.ts";
import { isGrpc } from "./http-message.ts";
import { authenticate } from "./jwt.ts";
import { judge, type RbacFacts } from "./rbac.ts";
import { answerOnRoute } from "./route-headers.ts";
import { forward } from "./router.ts";
import { type Because, type Branch, find, guarded, localReply, originsAt, type Site, step } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";
import { withFilterState } from "./filter-state.ts";

/** The filters of a connection manager in order; each passes the request on, answers it, or splits it into several ways. */
export function runFilters(filters: readonly HttpFilter[], exchange: Exchange): readonly Branch[] {
  const [filter, ...rest] = filters;
  if (filter === undefined) return guarded(exchange.trail, () => undecided("the end of the filters"));
  return guarded(exchange.trail, () => {
    if (filter.disabled) return runFilters(rest, exchange);
    const { config, resource, name } = configOf(exchange.site, filter);
    return runFilter({ config, resource, name }, exchange, (next) => runFilters(rest, next));
  });
}

function undecided(at: string): never {
  throw new Undecidable(at);
}

interface Loaded {
  readonly config: Config;
  readonly resource: EnvoyResource | undefined;
  readonly name: string;
}

/** A filter's own configuration, or what its ECDS slot holds. */
function configOf(site: Site, { name, configType }: HttpFilter): Loaded {
  if (configType.case === "typedConfig") {
    const config = openConfig(configType.value);
    return { name, resource: undefined, config: config ?? undecided(`filter ${name}`) };
  }
  const resource = find(site, "extension", name);
  const config = openConfig((resource?.message as TypedExtensionConfig | undefined)?.typedConfig);
  return { name, resource, config: config ?? undecided(`filter ${name}`) };
}

type Next = (exchange: Exchange) => readonly Branch[];

function runFilter(loaded: Loaded, exchange: Exchange, next: Next): readonly Branch[] {
  const { config, name } = loaded;
  switch (config.kind) {
    case "jwt":
      return runJwt(config.value, loaded, exchange, next);
    case "rbac":
      return runRbac(config.value, loaded, exchange, next);
    case "extAuthz":
      perRoute(exchange, "envoy.filters.http.ext_authz");
      return askAuthorizer({ ...loaded, config: config.value }, exchange, next);
    case "cors":
      return applyCors(exchange, name, next);
    case "fault":
      return applyFault(config.value, exchange, name, next);
    case "setFilterState":
      return next(withFilterState(config.value, exchange, name));
    case "router":
      return forward(exchange);
    default:
      return undecided(`filter ${name}`);
  }
}

function runJwt(config: JwtAuthentication, { name, resource }: Loaded, exchange: Exchange, next: Next): readonly Branch[] {
  const { site, message, trail } = exchange;
  perRoute(exchange, "envoy.filters.http.jwt_authn");
  const result = authenticate(config, message, site.view, site.nowMs);
  const path = result.provider === undefined ? "" : `providers[${JSON.stringify(result.provider)}]`;
  if (result.kind === "refused") {
    const refused = step(trail, site, "filter", { resource, path, detail: `${name}: ${result.detail}` });
    const reply = localReply(refused, {
      status: result.status,
      grpc: isGrpc(message),
      because: originsAt(resource, path),
      body: result.text,
      headers: [["www-authenticate", result.challenge]],
    });
    return answerOnRoute(reply, exchange);
  }
  const passed = step(trail, site, "filter", { resource, path, detail: `${name}: ${result.detail}` });
  const metadata = { ...exchange.metadata, "envoy.filters.http.jwt_authn": result.payloads };
  const changed = { ...exchange, message: result.message, metadata, trail: passed };
  if (!result.clearsRoute) return next(changed);
  return next({ ...changed, ...findRouting(site, exchange.routing, result.message, passed) });
}

function runRbac(config: RBAC, { name, resource }: Loaded, exchange: Exchange, next: Next): readonly Branch[] {
  const { site, message, connection, trail, serverName } = exchange;
  perRoute(exchange, "envoy.filters.http.rbac");
  if (config.matcher !== undefined || config.shadowMatcher !== undefined) undecided(`filter ${name}`);
  const { tls, destination, source } = connection;
  const facts = {
    message,
    destination,
    directSource: source,
    remote: exchange.remote,
    serverName,
    metadata: exchange.metadata,
    ...(tls !== undefined && { tls }),
  };
  const metadata = noted(config, facts);
  if (config.rules === undefined) {
    const policy = metadata[RBAC_METADATA]?.[`${config.shadowRulesStatPrefix}${EFFECTIVE_POLICY}`];
    const detail = `${name}: ${policy === undefined || config.shadowRules === undefined ? "no rules" : `${String(policy)} is written down`}`;
    return next({ ...exchange, metadata, trail: step(trail, site, "filter", { resource, detail }) });
  }
  const verdict = judge(config.rules, facts);
  const path = verdict.policy === undefined ? "" : `rules.policies[${JSON.stringify(verdict.policy)}]`;
  const detail = `${name}: ${verdict.allowed ? "allowed" : "denied"} by ${verdict.policy ?? "no policy"}`;
  const judged = step(trail, site, "filter", { resource, path, detail });
  if (verdict.allowed) return next({ ...exchange, metadata, trail: judged });
  const because = refusedBy(resource, path);
  return answerOnRoute(localReply(judged, { status: 403, grpc: isGrpc(message), because, body: "RBAC: access denied" }), exchange);
}

const RBAC_METADATA = "envoy.filters.http.rbac";
const EFFECTIVE_POLICY = "shadow_effective_policy_id";

/** Shadow rules decide nothing; which of them matched is written down for later filters. */
function noted({ shadowRules, shadowRulesStatPrefix: prefix }: RBAC, facts: RbacFacts): RbacFacts["metadata"] {
  const policy = shadowRules === undefined ? undefined : judge(shadowRules, facts).policy;
  if (policy === undefined) return facts.metadata;
  return { ...facts.metadata, [RBAC_METADATA]: { ...facts.metadata[RBAC_METADATA], [prefix + EFFECTIVE_POLICY]: policy } };
}

/** Who refused; where no resource did, the profile does. */
export function refusedBy(resource: EnvoyResource | undefined, path: string): Because {
  const origins = originsAt(resource, path);
  const anywhere = origins.length > 0 ? origins : (resource?.origins.get("") ?? []);
  return anywhere.length > 0 ? anywhere : ["Profile/zero-trust"];
}

/** A route's or host's own settings for a filter change what it does; those that aren't understood can't be passed over. */
function perRoute({ routing }: Exchange, filter: string): void {
  const own = [routing.found?.route.typedPerFilterConfig, routing.host?.typedPerFilterConfig, routing.routes.typedPerFilterConfig];
  if (own.some((configs) => configs?.[filter] !== undefined)) undecided(`filter ${filter} with settings of the route`);
}
