import { create } from "@bufbuild/protobuf";
import { type Permission, PermissionSchema } from "../../gen/envoy/config/rbac/v3/rbac_pb.js";
import type { StringMatch } from "../../ir/match.ts";
import type { RuleExpression } from "../../ir/policy.ts";
import { MeshError } from "../../model/error.ts";
import { toCidrRange } from "./cidr-range.ts";
import { toHeaderMatcher, toStringMatcher } from "./match.ts";
import { hostMatches } from "./rbac-regex.ts";

export type Side = "permission" | "principal" | "either" | "mixed";

/** Which half of an Envoy policy can say it. */
export function sideOf(expression: RuleExpression): Side {
  switch (expression.kind) {
    case "any":
    case "never":
    case "header":
      return "either";
    case "and":
    case "or":
      return expression.of.map(sideOf).reduce(joined, "either");
    case "not":
      return sideOf(expression.of);
    case "path":
    case "method":
    case "host":
    case "server-name":
    case "destination-port":
    case "destination-ip":
      return "permission";
    default:
      return "principal";
  }
}

function joined(a: Side, b: Side): Side {
  if (a === "either") return b;
  return b === "either" || a === b ? a : "mixed";
}

/** What is asked of the request and the connection. */
export function toPermission(expression: RuleExpression): Permission {
  return create(PermissionSchema, { rule: toRule(expression) });
}

function toRule(expression: RuleExpression): Permission["rule"] {
  switch (expression.kind) {
    case "any":
      return { case: "any", value: true };
    case "never":
      return { case: "notRule", value: toPermission({ kind: "any" }) };
    case "and":
      return { case: "andRules", value: set(expression.of) };
    case "or":
      return { case: "orRules", value: set(expression.of) };
    case "not":
      return { case: "notRule", value: toPermission(expression.of) };
    case "path":
      return {
        case: "urlPath",
        value: { $typeName: "envoy.type.matcher.v3.PathMatcher", rule: { case: "path", value: toStringMatcher(expression.value) } },
      };
    case "method":
      return { case: "header", value: toHeaderMatcher({ name: ":method", value: expression.value }) };
    case "host":
      return hostRule(expression.value);
    case "header":
      return { case: "header", value: toHeaderMatcher(expression.header) };
    case "server-name":
      return { case: "requestedServerName", value: toStringMatcher(expression.value) };
    case "destination-port":
      return { case: "destinationPort", value: expression.port };
    case "destination-ip":
      return { case: "destinationIp", value: toCidrRange(expression.cidr) };
    default:
      throw new MeshError("bug", `"${expression.kind}" is not a permission`);
  }
}

function hostRule(host: StringMatch): Permission["rule"] {
  const rules = hostMatches(host).map((value) => toPermission({ kind: "header", header: { name: ":authority", value } }));
  return { case: "orRules", value: { $typeName: "envoy.config.rbac.v3.Permission.Set", rules } };
}

function set(of: readonly RuleExpression[]) {
  return { $typeName: "envoy.config.rbac.v3.Permission.Set", rules: of.map(toPermission) } as const;
}
