import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { TypedExtensionConfigSchema } from "../../gen/envoy/config/core/v3/extension_pb.js";
import { RBACSchema as HttpRbacSchema } from "../../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import { ExtAuthzSchema } from "../../gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js";
import { JwtAuthenticationSchema } from "../../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { RBACSchema as NetworkRbacSchema } from "../../gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import {
  GATEWAY_SLOTS,
  GATEWAY_TCP_SLOTS,
  INBOUND_SLOTS,
  INBOUND_TCP_SLOTS,
  OUTBOUND_SLOTS,
  OUTBOUND_TCP_SLOTS,
} from "../../ir/policy-slots.ts";
import type { Authentication, AuthorizationRule, AuthorizationRules, Policies, ProxyPolicies } from "../../ir/policy.ts";
import { encodeResource, packAny } from "./any.ts";
import { toAuthorizerRules, toExtAuthz } from "./ext-authz.ts";
import { toJwtAuthentication } from "./jwt.ts";
import { toRbac } from "./rbac.ts";
import type { EnvoyResource } from "./resource.ts";

type Origins = EnvoyResource["origins"];
type Action = "ALLOW" | "DENY";

const NOWHERE: Origins = new Map([["", []]]);

type Slots = typeof INBOUND_SLOTS | typeof GATEWAY_SLOTS;
type TcpSlots = typeof INBOUND_TCP_SLOTS | typeof GATEWAY_TCP_SLOTS;

/** The content of every slot of a proxy; one without a policy holds an empty filter, because a slot that Envoy can't fill answers 500. */
export function toExtensions(role: "sidecar" | "gateway", policies: ProxyPolicies): readonly EnvoyResource[] {
  if (role === "gateway") return [...httpSlots(GATEWAY_SLOTS, policies.http), ...tcpSlots(GATEWAY_TCP_SLOTS, policies.tcp)];
  const outbound = [empty(OUTBOUND_SLOTS.extensions), emptyNetwork(OUTBOUND_TCP_SLOTS.extensions)];
  return [...httpSlots(INBOUND_SLOTS, policies.http), ...tcpSlots(INBOUND_TCP_SLOTS, policies.tcp), ...outbound];
}

function httpSlots(slots: Slots, policies: Policies): readonly EnvoyResource[] {
  const { authentication, deny, allow } = policies;
  return [
    extension(slots.authn, JwtAuthenticationSchema, toJwtAuthentication(authentication), providerOrigins(authentication)),
    ...customSlots(slots, policies),
    httpRbac(slots.authzDeny, "DENY", deny),
    httpRbac(slots.authzAllow, "ALLOW", allow),
    empty(slots.extensions),
  ];
}

/** Either an authorizer is asked about what its rules match, or that is refused. */
function customSlots(slots: Slots, { custom, asked }: Policies): readonly EnvoyResource[] {
  if (asked === undefined) return [empty(slots.authzCustomRules), httpRbac(slots.authzCustom, "DENY", custom)];
  const { rules, authorizer } = asked;
  const origins = originsOf(rules, "shadowRules");
  const asking = extension(slots.authzCustom, ExtAuthzSchema, toExtAuthz(authorizer), originsOf(rules, "asked"), [
    { type: "cluster", name: authorizer.cluster },
  ]);
  return [extension(slots.authzCustomRules, HttpRbacSchema, toAuthorizerRules(rules), origins), asking];
}

/** A network filter has no slot for CUSTOM: its refusals stand with the DENY rules. */
function tcpSlots(slots: TcpSlots, { deny, allow }: ProxyPolicies["tcp"]): readonly EnvoyResource[] {
  return [networkRbac(slots.authzDeny, "DENY", deny), networkRbac(slots.authzAllow, "ALLOW", allow), emptyNetwork(slots.extensions)];
}

function httpRbac(name: string, action: Action, rules: AuthorizationRules): EnvoyResource {
  return extension(name, HttpRbacSchema, rulesOf(action, rules), originsOf(rules));
}

function networkRbac(name: string, action: Action, rules: AuthorizationRules): EnvoyResource {
  return extension(name, NetworkRbacSchema, { statPrefix: `${name}.`, ...rulesOf(action, rules) }, originsOf(rules));
}

function empty(name: string): EnvoyResource {
  return extension(name, HttpRbacSchema, {}, NOWHERE);
}

function emptyNetwork(name: string): EnvoyResource {
  return extension(name, NetworkRbacSchema, { statPrefix: `${name}.` }, NOWHERE);
}

/** Names what policies on trial leave in statistics and in metadata (Istio's words). */
const TRIAL_PREFIX = { ALLOW: "istio_dry_run_allow_", DENY: "istio_dry_run_deny_" } as const;

function rulesOf(action: Action, all: AuthorizationRules) {
  const rules = toRbac(action, all);
  const shadowRules = all.trial === undefined ? undefined : toRbac(action, all.trial);
  return {
    ...(rules !== undefined && { rules }),
    ...(shadowRules !== undefined && { shadowRules, shadowRulesStatPrefix: TRIAL_PREFIX[action] }),
  };
}

function extension<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
  origins: Origins,
  references: EnvoyResource["references"] = [],
): EnvoyResource {
  const message = create(TypedExtensionConfigSchema, { name, typedConfig: packAny(schema, init) });
  return encodeResource(TypedExtensionConfigSchema, message, { type: "extension", name, references, origins });
}

/** By the name under which a rule stands in the message: `rules.policies["ns[shop]-policy[p]-rule[0]"]`. */
function originsOf({ policies, refusal, trial }: AuthorizationRules, field = "rules"): Origins {
  const whole = [...policies.flatMap(({ origin }) => origin), ...(refusal?.origin ?? [])];
  const each = (rules: readonly AuthorizationRule[], at: string) =>
    rules.map(({ name, origin }) => [`${at}.policies[${JSON.stringify(name)}]`, origin] as const);
  return new Map([["", whole], ...each(policies, field), ...each(trial?.policies ?? [], "shadowRules")]);
}

function providerOrigins({ providers, origin }: Authentication): Origins {
  return new Map([["", origin], ...providers.map((provider) => [`providers[${JSON.stringify(provider.name)}]`, provider.origin] as const)]);
}
