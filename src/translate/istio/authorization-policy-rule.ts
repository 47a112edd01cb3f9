import type { AuthorizationRule, RuleExpression } from "../../ir/policy.ts";
import type { Finding } from "../../mesh/finding.ts";
import type { JsonPath } from "../../model/position.ts";
import { type Resource, refOf } from "../../model/resource.ts";
import type { AuthorizationPolicyBody } from "../../schema/bodies.ts";
import { type AttributeName, type Clause, type FieldScope, toClauses, toConditionClauses } from "./authorization-policy-field.ts";

export type AuthorizationPolicy = Resource<AuthorizationPolicyBody>;
type Rule = NonNullable<NonNullable<AuthorizationPolicyBody["spec"]>["rules"]>[number];
type Source = NonNullable<NonNullable<Rule["from"]>[number]["source"]>;
type Operation = NonNullable<NonNullable<Rule["to"]>[number]["operation"]>;

/** What a rule is compiled for. `widens`: what can't be said drops out of a DENY, so that it denies more, and takes an ALLOW rule with it. */
export interface RuleTarget {
  readonly protocol: "http" | "tcp";
  readonly action: "ALLOW" | "DENY";
  readonly scope: FieldScope;
}

export interface CompiledRule {
  readonly rule?: AuthorizationRule;
  readonly findings: readonly Finding[];
}

const SOURCE_FIELDS = [
  ["principals", "notPrincipals", "principal"],
  ["requestPrincipals", "notRequestPrincipals", "requestPrincipal"],
  ["namespaces", "notNamespaces", "namespace"],
  ["serviceAccounts", "notServiceAccounts", "serviceAccount"],
  ["ipBlocks", "notIpBlocks", "sourceIp"],
  ["remoteIpBlocks", "notRemoteIpBlocks", "remoteIp"],
] as const satisfies readonly (readonly [keyof Source, keyof Source, AttributeName])[];

const OPERATION_FIELDS = [
  ["hosts", "notHosts", "host"],
  ["ports", "notPorts", "port"],
  ["methods", "notMethods", "method"],
  ["paths", "notPaths", "path"],
] as const satisfies readonly (readonly [keyof Operation, keyof Operation, AttributeName])[];

/** One `rules[index]`: any of `from`, any of `to`, all of `when`. */
export function compileRule(policy: AuthorizationPolicy, rule: Rule, index: number, target: RuleTarget): CompiledRule {
  const { scope } = target;
  const path: JsonPath = ["spec", "rules", index];
  const from = (rule.from ?? []).map(({ source = {} }, i) => fieldClauses(SOURCE_FIELDS, source, scope, [...path, "from", i, "source"]));
  const to = (rule.to ?? []).map(({ operation = {} }, i) =>
    fieldClauses(OPERATION_FIELDS, operation, scope, [...path, "to", i, "operation"]),
  );
  const when = (rule.when ?? []).map(({ key, values, notValues }, i) =>
    toConditionClauses(key, values, notValues, scope, [...path, "when", i]),
  );
  const clauses = [...from.flat(), ...to.flat(), ...when.flat()];
  const findings = clauses.flatMap((clause) => findingOf(clause, policy, target));
  if (target.action === "ALLOW" && clauses.some((clause) => !isSayable(clause, target))) return { findings };
  const parts = [...alternatives(from, target), ...alternatives(to, target), ...when.flatMap((list) => sayable(list, target))];
  const { name, namespace } = policy.metadata;
  return {
    rule: { name: `ns[${namespace}]-policy[${name}]-rule[${index}]`, when: allOf(parts), origin: [{ ref: refOf(policy), path }] },
    findings,
  };
}

function fieldClauses<Fields extends Source | Operation>(
  fields: readonly (readonly [keyof Fields & string, keyof Fields & string, AttributeName])[],
  from: Fields,
  scope: FieldScope,
  path: JsonPath,
): readonly Clause[] {
  return fields.flatMap(([name, negated, attribute]) =>
    toClauses(attribute, from[name] as readonly string[] | undefined, from[negated] as readonly string[] | undefined, scope, [
      [...path, name],
      [...path, negated],
    ]),
  );
}

function isSayable(clause: Clause, { protocol }: RuleTarget): boolean {
  return clause.kind === "expression" && (protocol === "http" || !clause.httpOnly);
}

function sayable(clauses: readonly Clause[], target: RuleTarget): readonly RuleExpression[] {
  return clauses.flatMap((clause) => (clause.kind === "expression" && isSayable(clause, target) ? [clause.expression] : []));
}

/** None of them asks for nothing; one that asks for nothing makes all of them do so. */
function alternatives(lists: readonly (readonly Clause[])[], target: RuleTarget): readonly RuleExpression[] {
  if (lists.length === 0) return [];
  const each = lists.map((clauses) => allOf(sayable(clauses, target)));
  if (each.some(({ kind }) => kind === "any")) return [];
  return each.length === 1 ? each : [{ kind: "or", of: each }];
}

function allOf(parts: readonly RuleExpression[]): RuleExpression {
  const flat = parts.flatMap((part) => (part.kind === "and" ? part.of : [part]));
  const [only, ...others] = flat;
  if (only === undefined) return { kind: "any" };
  return others.length === 0 ? only : { kind: "and", of: flat };
}

function findingOf(clause: Clause, policy: AuthorizationPolicy, { action, protocol }: RuleTarget): readonly Finding[] {
  const effect = action === "ALLOW" ? "the rule allows nothing" : "the rule denies whatever else it names";
  const origin = { ref: refOf(policy), path: clause.path };
  if (clause.kind === "inexpressible") {
    return protocol === "tcp" ? [] : [{ code: "KMK3001", message: `${clause.why}: ${effect}`, help: "correct the value", origin }];
  }
  if (protocol === "http" || !clause.httpOnly) return [];
  const message = `a TCP port knows nothing of ${String(clause.path.at(-1))}: there ${effect}`;
  return [{ code: "KMK3001", message, help: "name the HTTP ports in a rule of their own, by `ports`", origin }];
}
