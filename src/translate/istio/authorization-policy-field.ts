import { isHeaderName } from "../../base/header-name.ts";
import type { HeaderMatch } from "../../ir/match.ts";
import type { RuleExpression } from "../../ir/policy.ts";
import type { JsonPath } from "../../model/position.ts";
import {
  PRESENT,
  toCidr,
  toNamespaceMatch,
  toPathMatch,
  toPort,
  toPrincipalMatches,
  toServiceAccountMatch,
  toStringMatch,
} from "./authorization-policy-value.ts";

/** What the values of one field ask for, or why that can't be said. */
export type Clause =
  | { readonly kind: "expression"; readonly expression: RuleExpression; readonly httpOnly: boolean; readonly path: JsonPath }
  | { readonly kind: "inexpressible"; readonly why: string; readonly path: JsonPath };

/** What a value's meaning depends on besides itself. */
export interface FieldScope {
  readonly namespace: string;
  readonly trustDomains: readonly string[];
  /** Where the sidecar binds another port for the workload's: what a connection's own port is then. */
  readonly boundPorts: Readonly<Record<number, number>>;
}

type Reader = (value: string, scope: FieldScope) => RuleExpression | undefined;

interface Attribute {
  readonly read: Reader;
  readonly httpOnly: boolean;
}

const anyOf = (of: readonly RuleExpression[]): RuleExpression => (of.length === 1 && of[0] !== undefined ? of[0] : { kind: "or", of });
const ip =
  (kind: "source-ip" | "remote-ip" | "destination-ip"): Reader =>
  (value) => {
    const cidr = toCidr(value);
    return cidr === undefined ? undefined : { kind, cidr };
  };
const port: Reader = (value, { boundPorts }) => {
  const number = toPort(value);
  return number === undefined ? undefined : { kind: "destination-port", port: boundPorts[number] ?? number };
};
const principal: Reader = (value, { trustDomains }) =>
  anyOf(toPrincipalMatches(value, trustDomains).map((match) => ({ kind: "principal", value: match })));
const claim =
  (path: readonly string[]): Reader =>
  (value) => ({ kind: "claim", path, value: toStringMatch(value) });

/** Attributes by the name that fields and conditions share; what only HTTP knows says so. */
const ATTRIBUTES = {
  principal: { read: principal, httpOnly: false },
  namespace: { read: (value) => ({ kind: "namespace", value: toNamespaceMatch(value) }), httpOnly: false },
  serviceAccount: {
    read: (value, { namespace }) => ({ kind: "principal", value: toServiceAccountMatch(value, namespace) }),
    httpOnly: false,
  },
  sourceIp: { read: ip("source-ip"), httpOnly: false },
  remoteIp: { read: ip("remote-ip"), httpOnly: false },
  requestPrincipal: {
    read: (value) => ({ kind: "request-principal", value: value === "*" ? PRESENT : toStringMatch(value) }),
    httpOnly: true,
  },
  host: { read: (value) => ({ kind: "host", value: toStringMatch(value) }), httpOnly: true },
  port: { read: port, httpOnly: false },
  method: { read: (value) => ({ kind: "method", value: toStringMatch(value) }), httpOnly: true },
  path: { read: (value) => ({ kind: "path", value: toPathMatch(value) }), httpOnly: true },
  destinationIp: { read: ip("destination-ip"), httpOnly: false },
  serverName: { read: (value) => ({ kind: "server-name", value: toStringMatch(value) }), httpOnly: false },
  audience: { read: claim(["aud"]), httpOnly: true },
  presenter: { read: claim(["azp"]), httpOnly: true },
} as const satisfies Record<string, Attribute>;

export type AttributeName = keyof typeof ATTRIBUTES;

const CONDITIONS: Readonly<Record<string, AttributeName>> = {
  "source.ip": "sourceIp",
  "remote.ip": "remoteIp",
  "source.namespace": "namespace",
  "source.principal": "principal",
  "source.serviceAccount": "serviceAccount",
  "request.auth.principal": "requestPrincipal",
  "request.auth.audiences": "audience",
  "request.auth.presenter": "presenter",
  "destination.ip": "destinationIp",
  "destination.port": "port",
  "connection.sni": "serverName",
};

/** The clauses of a field and of its negation; none for an absent one. */
export function toClauses(
  name: AttributeName,
  field: readonly string[] | undefined,
  negated: readonly string[] | undefined,
  scope: FieldScope,
  paths: readonly [JsonPath, JsonPath],
): readonly Clause[] {
  return clausesOf(ATTRIBUTES[name], field, negated, scope, paths);
}

/** One `when`. An unknown key is inexpressible. */
export function toConditionClauses(
  key: string,
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  scope: FieldScope,
  path: JsonPath,
): readonly Clause[] {
  const attribute = conditionAttribute(key);
  if (attribute === undefined)
    return [{ kind: "inexpressible", why: `${JSON.stringify(key)} is no condition that is known`, path: [...path, "key"] }];
  return clausesOf(attribute, values, notValues, scope, [
    [...path, "values"],
    [...path, "notValues"],
  ]);
}

function conditionAttribute(key: string): Attribute | undefined {
  const known = Object.hasOwn(CONDITIONS, key) ? CONDITIONS[key] : undefined;
  if (known !== undefined) return ATTRIBUTES[known];
  const header = /^request\.headers\[([^\]]+)\]$/.exec(key)?.[1];
  // `:authority` and the like are HTTP/2's names, which Envoy has for every request.
  if (header !== undefined)
    return !isHeaderName(header.replace(/^:/, ""))
      ? undefined
      : { read: (value) => ({ kind: "header", header: headerMatch(header, value) }), httpOnly: true };
  const claims = /^request\.auth\.claims((?:\[[^\]]+\])+)$/.exec(key)?.[1];
  return claims === undefined ? undefined : { read: claim(claims.slice(1, -1).split("][")), httpOnly: true };
}

function headerMatch(name: string, value: string): HeaderMatch {
  return { name: name.toLowerCase(), value: value === "*" ? { kind: "present" } : toStringMatch(value) };
}

function clausesOf(
  { read, httpOnly }: Attribute,
  values: readonly string[] = [],
  notValues: readonly string[] = [],
  scope: FieldScope,
  [path, notPath]: readonly [JsonPath, JsonPath],
): readonly Clause[] {
  const clause = (list: readonly string[], at: JsonPath, wrap: (expression: RuleExpression) => RuleExpression): readonly Clause[] => {
    if (list.length === 0) return [];
    const parts = list.map((value) => read(value, scope));
    const bad = parts.indexOf(undefined);
    if (bad !== -1) return [{ kind: "inexpressible", why: `"${list[bad]}" can't be read`, path: [...at, bad] }];
    return [{ kind: "expression", expression: wrap(anyOf(parts.filter((part) => part !== undefined))), httpOnly, path: at }];
  };
  return [
    ...clause(values, path, (expression) => expression),
    ...clause(notValues, notPath, (expression) => ({ kind: "not", of: expression })),
  ];
}
