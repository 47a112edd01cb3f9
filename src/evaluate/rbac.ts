import type { JsonObject } from "@bufbuild/protobuf";
import type { Permission, Principal, RBAC } from "../gen/envoy/config/rbac/v3/rbac_pb.js";
import { RBAC_Action as Action } from "../gen/envoy/config/rbac/v3/rbac_pb.js";
import type { PathMatcher } from "../gen/envoy/type/matcher/v3/path_pb.js";
import { inRange } from "./cidr-match.ts";
import { matchesHeader } from "./header-match.ts";
import { type HttpMessage, splitQuery } from "./http-message.ts";
import { matchesMetadata } from "./metadata-match.ts";
import { matchesString } from "./string-match.ts";
import { Undecidable } from "./undecidable.ts";

/** All that RBAC may ask about: a request, or only its connection. */
export interface RbacFacts {
  readonly message?: HttpMessage;
  readonly destination: { readonly address: string; readonly port: number };
  /** The connection's peer. */
  readonly directSource: string;
  /** Who sent the request as far as trusted hops say. */
  readonly remote: string;
  /** Peer's URI SAN behind mTLS. */
  readonly tls?: { readonly sni: string; readonly peer?: string; readonly trusted: boolean };
  /** Requested by the client's first bytes, TLS ended here or not. */
  readonly serverName: string;
  readonly metadata: Readonly<Record<string, JsonObject>>;
}

export type RbacVerdict = { readonly allowed: boolean /** The policy that decided, by name. */; readonly policy?: string };

/** Envoy's rules: policies in the order of their names, the first that matches decides. */
export function judge({ action, policies }: RBAC, facts: RbacFacts): RbacVerdict {
  const policy = Object.keys(policies)
    .sort()
    .find((name) => policies[name] !== undefined && matchesPolicy(policies[name], facts));
  const found = policy === undefined ? {} : { policy };
  switch (action) {
    case Action.ALLOW:
      return { allowed: policy !== undefined, ...found };
    case Action.DENY:
      return { allowed: policy === undefined, ...found };
    default:
      return { allowed: true, ...found };
  }
}

function matchesPolicy({ permissions, principals, condition, checkedCondition }: RBAC["policies"][string], facts: RbacFacts): boolean {
  if (condition !== undefined || checkedCondition !== undefined) throw new Undecidable("an RBAC policy's condition");
  return permissions.some((permission) => permits(permission, facts)) && principals.some((principal) => isPrincipal(principal, facts));
}

function permits({ rule }: Permission, facts: RbacFacts): boolean {
  switch (rule.case) {
    case "any":
      return rule.value;
    case "andRules":
      return rule.value.rules.every((inner) => permits(inner, facts));
    case "orRules":
      return rule.value.rules.some((inner) => permits(inner, facts));
    case "notRule":
      return !permits(rule.value, facts);
    case "header":
      return facts.message !== undefined && matchesHeader(rule.value, facts.message);
    case "urlPath":
      return matchesPath(rule.value, facts.message);
    case "destinationIp":
      return inRange(rule.value, facts.destination.address);
    case "destinationPort":
      return rule.value === facts.destination.port;
    case "destinationPortRange":
      return facts.destination.port >= rule.value.start && facts.destination.port < rule.value.end;
    case "metadata":
      return matchesMetadata(rule.value, facts.metadata);
    case "requestedServerName":
      return matchesString(rule.value, facts.serverName);
    default:
      throw new Undecidable(`an RBAC permission ${rule.case ?? "without a rule"}`);
  }
}

function isPrincipal({ identifier: id }: Principal, facts: RbacFacts): boolean {
  switch (id.case) {
    case "any":
      return id.value;
    case "andIds":
      return id.value.ids.every((inner) => isPrincipal(inner, facts));
    case "orIds":
      return id.value.ids.some((inner) => isPrincipal(inner, facts));
    case "notId":
      return !isPrincipal(id.value, facts);
    case "authenticated":
      return isAuthenticated(id.value.principalName, facts);
    case "directRemoteIp":
      return inRange(id.value, facts.directSource);
    case "remoteIp":
    case "sourceIp":
      return inRange(id.value, facts.remote);
    case "header":
      return facts.message !== undefined && matchesHeader(id.value, facts.message);
    case "urlPath":
      return matchesPath(id.value, facts.message);
    case "metadata":
      return matchesMetadata(id.value, facts.metadata);
    default:
      throw new Undecidable(`an RBAC principal ${id.case ?? "without an identifier"}`);
  }
}

function isAuthenticated(name: Parameters<typeof matchesString>[0] | undefined, { tls }: RbacFacts): boolean {
  if (tls?.peer === undefined) return false;
  return name === undefined ? tls.trusted : matchesString(name, tls.peer);
}

/** Compared without query and fragment. */
function matchesPath({ rule }: PathMatcher, message: HttpMessage | undefined): boolean {
  if (message === undefined || rule.value === undefined) return false;
  return matchesString(rule.value, splitQuery(message.path)[0].split("#")[0] ?? "");
}
