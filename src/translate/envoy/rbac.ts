import { create } from "@bufbuild/protobuf";
import {
  type Permission,
  PermissionSchema,
  type Policy,
  type Principal,
  PrincipalSchema,
  type RBAC,
  RBAC_Action as Action,
  RBACSchema,
} from "../../gen/envoy/config/rbac/v3/rbac_pb.js";
import type { AuthorizationRule, AuthorizationRules, RuleExpression } from "../../ir/policy.ts";
import { MeshError } from "../../model/error.ts";
import { sideOf, toPermission } from "./rbac-permission.ts";
import { toPrincipal } from "./rbac-principal.ts";

/** The rules of one slot; undefined lets everything pass. */
export function toRbac(action: "ALLOW" | "DENY", rules: AuthorizationRules): RBAC | undefined {
  if (!rules.enforced) return undefined;
  if (rules.policies.length === 0 && rules.refusal !== undefined) {
    // Said as a DENY of everything, so that access logs name who refused.
    return create(RBACSchema, { action: Action.DENY, policies: { [rules.refusal.name]: toPolicy({ kind: "any" }) } });
  }
  return create(RBACSchema, { action: Action[action], policies: toPolicies(rules.policies) });
}

function toPolicies(rules: readonly AuthorizationRule[]): Record<string, Policy> {
  const policies: Record<string, Policy> = {};
  for (const rule of rules) policies[rule.name] = toPolicy(rule.when);
  return policies;
}

/** Envoy wants what is asked of the request (permissions) apart from what is asked of its sender (principals); both must match. */
function toPolicy(when: RuleExpression): Policy {
  const parts = when.kind === "and" ? when.of : [when];
  const permissions = parts.filter((part) => sideOf(part) === "permission");
  const principals = parts.filter((part) => sideOf(part) === "principal" || sideOf(part) === "either");
  if (permissions.length + principals.length !== parts.length)
    throw new MeshError("bug", "a rule mixes request and sender in one alternative");
  return {
    $typeName: "envoy.config.rbac.v3.Policy",
    permissions: [allPermissions(permissions.map(toPermission))],
    principals: [allPrincipals(principals.map(toPrincipal))],
  };
}

function allPermissions(rules: Permission[]): Permission {
  const [only, ...others] = rules;
  if (only === undefined) return create(PermissionSchema, { rule: { case: "any", value: true } });
  return others.length === 0 ? only : create(PermissionSchema, { rule: { case: "andRules", value: { rules } } });
}

function allPrincipals(ids: Principal[]): Principal {
  const [only, ...others] = ids;
  if (only === undefined) return create(PrincipalSchema, { identifier: { case: "any", value: true } });
  return others.length === 0 ? only : create(PrincipalSchema, { identifier: { case: "andIds", value: { ids } } });
}
