import type { Authentication } from "../../ir/policy.ts";
import type { Finding } from "../../mesh/finding.ts";
import { KEY_SET_KIND, type KeySetBody } from "../../model/jwks.ts";
import type { Origin } from "../../model/origin.ts";
import { type Resource, type ResourceRef, refOf } from "../../model/resource.ts";
import type { RequestAuthenticationBody } from "../../schema/bodies.ts";
import { NO_KEYS, usableKeys } from "./request-authentication-keys.ts";
import { readPlaces } from "./request-authentication-places.ts";

export type RequestAuthentication = Resource<RequestAuthenticationBody>;
type JwtRule = NonNullable<NonNullable<RequestAuthenticationBody["spec"]>["jwtRules"]>[number];

export interface AuthenticationInputs {
  /** Of the mesh, the namespace and the workload: their rules add up. */
  readonly policies: readonly RequestAuthentication[];
  /** Fetched keys by `jwksUri`. */
  readonly keySets: ReadonlyMap<string, string>;
}

/** The keys behind every `jwksUri` of the policies, as far as an edge has fetched them. */
export function keySetsOf(
  policies: readonly RequestAuthentication[],
  find: (ref: ResourceRef) => Resource | undefined,
): ReadonlyMap<string, string> {
  const keySets = new Map<string, string>();
  for (const uri of policies.flatMap((policy) =>
    (policy.body.spec?.jwtRules ?? []).map(({ jwksUri, jwks_uri }) => jwksUri ?? jwks_uri ?? ""),
  )) {
    const found = uri === "" ? undefined : find({ kind: KEY_SET_KIND, namespace: "", name: uri });
    if (found !== undefined) keySets.set(uri, (found.body as KeySetBody).jwks);
  }
  return keySets;
}

/** Every rule as a provider of its own. Where no key is known, no token of that issuer passes, and those of others do. */
export function toAuthentication({ policies, keySets }: AuthenticationInputs): {
  readonly authentication: Authentication;
  readonly findings: readonly Finding[];
} {
  const findings: Finding[] = [];
  const providers = [...policies].sort(byName).flatMap((policy) =>
    (policy.body.spec?.jwtRules ?? []).flatMap((rule, i) => {
      const origin = { ref: refOf(policy), path: ["spec", "jwtRules", i] };
      if (rule.issuer === undefined || rule.issuer === "") {
        findings.push({
          code: "KMK3002",
          message: "a rule without an issuer would take any issuer's tokens: it is left out",
          help: "set issuer",
          origin,
        });
        return [];
      }
      const { places, unreadable } = readPlaces(rule);
      findings.push(...unreadable.map((field) => unreadableField(field, origin)));
      return [
        {
          name: `${policy.metadata.namespace}/${policy.metadata.name}/${i}`,
          issuer: rule.issuer,
          audiences: rule.audiences ?? [],
          jwks: keysOf(rule, keySets, origin, findings),
          ...places,
          forwardOriginalToken: rule.forwardOriginalToken ?? false,
          origin: [origin],
        },
      ];
    }),
  );
  return { authentication: { providers, origin: policies.map((policy) => ({ ref: refOf(policy), path: ["spec"] })) }, findings };
}

function unreadableField(field: string, origin: Origin): Finding {
  return {
    code: "KMK1001",
    message: `${field} names what no request can have: that place is left out`,
    help: "use names without spaces",
    origin: { ref: origin.ref, path: [...origin.path, field] },
  };
}

function keysOf(rule: JwtRule, keySets: AuthenticationInputs["keySets"], origin: Origin, findings: Finding[]): string {
  const uri = rule.jwksUri ?? rule.jwks_uri;
  const inline = rule.jwks !== undefined && rule.jwks !== "" ? rule.jwks : undefined;
  const text = inline ?? (uri === undefined ? undefined : keySets.get(uri));
  const read =
    text === undefined
      ? ({ ok: false, problem: uri === undefined ? "neither jwks nor jwksUri is set" : `no keys of ${uri} are known yet` } as const)
      : usableKeys(text);
  if (read.ok) return read.jwks;
  const field = inline === undefined ? (uri === undefined ? [] : ["jwksUri"]) : ["jwks"];
  const message = `${read.problem}: every token of "${rule.issuer}" is refused`;
  findings.push({
    code: "KMK3002",
    message,
    help: "check that the provider answers with its public keys",
    origin: { ref: origin.ref, path: [...origin.path, ...field] },
  });
  return NO_KEYS;
}

function byName(a: RequestAuthentication, b: RequestAuthentication): number {
  const [one, other] = [a, b].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  return (one ?? "") < (other ?? "") ? -1 : 1;
}
