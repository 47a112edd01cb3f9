import { create } from "@bufbuild/protobuf";
import { type Principal, PrincipalSchema } from "../../gen/envoy/config/rbac/v3/rbac_pb.js";
import { type MetadataMatcher, MetadataMatcherSchema } from "../../gen/envoy/type/matcher/v3/metadata_pb.js";
import { type ValueMatcher, ValueMatcherSchema } from "../../gen/envoy/type/matcher/v3/value_pb.js";
import type { StringMatch } from "../../ir/match.ts";
import type { RuleExpression } from "../../ir/policy.ts";
import { MeshError } from "../../model/error.ts";
import { toCidrRange } from "./cidr-range.ts";
import { JWT_METADATA } from "./jwt.ts";
import { toHeaderMatcher, toStringMatcher } from "./match.ts";
import { namespaceRegex, requestPrincipalClaims } from "./rbac-regex.ts";

/** What is asked of the sender: certificate, token, address. */
export function toPrincipal(expression: RuleExpression): Principal {
  return create(PrincipalSchema, { identifier: toIdentifier(expression) });
}

function toIdentifier(expression: RuleExpression): Principal["identifier"] {
  switch (expression.kind) {
    case "any":
      return { case: "any", value: true };
    case "never":
      return { case: "notId", value: toPrincipal({ kind: "any" }) };
    case "and":
      return { case: "andIds", value: set(expression.of) };
    case "or":
      return { case: "orIds", value: set(expression.of) };
    case "not":
      return { case: "notId", value: toPrincipal(expression.of) };
    case "principal":
      return authenticated(expression.value);
    case "namespace":
      return authenticated(namespaceRegex(expression.value));
    case "request-principal":
      return requestPrincipal(expression.value);
    case "claim":
      return { case: "metadata", value: claim(expression.path, expression.value) };
    case "header":
      return { case: "header", value: toHeaderMatcher(expression.header) };
    case "source-ip":
      return { case: "directRemoteIp", value: toCidrRange(expression.cidr) };
    case "remote-ip":
      return { case: "remoteIp", value: toCidrRange(expression.cidr) };
    default:
      throw new MeshError("bug", `"${expression.kind}" is not a principal`);
  }
}

function set(of: readonly RuleExpression[]) {
  return { $typeName: "envoy.config.rbac.v3.Principal.Set", ids: of.map(toPrincipal) } as const;
}

/** Envoy compares with the peer certificate's URI SAN. */
function authenticated(name: StringMatch): Principal["identifier"] {
  return {
    case: "authenticated",
    value: { $typeName: "envoy.config.rbac.v3.Principal.Authenticated", principalName: toStringMatcher(name) },
  };
}

function requestPrincipal(value: StringMatch): Principal["identifier"] {
  const { issuer, subject } = requestPrincipalClaims(value);
  const ids = [claim(["iss"], issuer), claim(["sub"], subject)].map((metadata) =>
    create(PrincipalSchema, { identifier: { case: "metadata", value: metadata } }),
  );
  return { case: "andIds", value: { $typeName: "envoy.config.rbac.v3.Principal.Set", ids } };
}

/** A claim is a text or a list of them, of which one must match. */
function claim(path: readonly string[], value: StringMatch): MetadataMatcher {
  const text = create(ValueMatcherSchema, { matchPattern: { case: "stringMatch", value: toStringMatcher(value) } });
  const oneOf = create(ValueMatcherSchema, {
    matchPattern: { case: "listMatch", value: { matchPattern: { case: "oneOf", value: text } } },
  });
  const either: ValueMatcher = create(ValueMatcherSchema, { matchPattern: { case: "orMatch", value: { valueMatchers: [text, oneOf] } } });
  const steps = [JWT_METADATA.key, ...path].map((key) => ({ segment: { case: "key" as const, value: key } }));
  return create(MetadataMatcherSchema, { filter: JWT_METADATA.filter, path: steps, value: either });
}
