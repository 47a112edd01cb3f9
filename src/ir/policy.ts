import type { Origin } from "../model/origin.ts";
import type { ExternalAuthorizer } from "./authorizer.ts";
import type { HeaderMatch, StringMatch } from "./match.ts";

/** What the policy slots of one proxy hold: for its HTTP connections, and for those of which it knows only the bytes. */
export interface ProxyPolicies {
  readonly http: Policies;
  readonly tcp: Pick<Policies, "deny" | "allow">;
}

export interface Policies {
  readonly authentication: Authentication;
  /** What is refused because an external authorizer that must be asked can't be. */
  readonly custom: AuthorizationRules;
  /** What is asked of an external authorizer before any other policy. */
  readonly asked?: { readonly rules: AuthorizationRules; readonly authorizer: ExternalAuthorizer };
  readonly deny: AuthorizationRules;
  readonly allow: AuthorizationRules;
}

/** RequestAuthentication: a bad token is refused, none passes. */
export interface Authentication {
  readonly providers: readonly JwtProvider[];
  readonly origin: readonly Origin[];
}

export interface JwtProvider {
  /** Unique in the proxy and stable: made of the resource and its rule's index. */
  readonly name: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Public keys only (RFC 7517); a placeholder that no token can match where none are known. */
  readonly jwks: string;
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  readonly forwardOriginalToken: boolean;
  readonly outputPayloadToHeader?: string;
  readonly outputClaimToHeaders: readonly { readonly header: string; readonly claim: string }[];
  readonly origin: readonly Origin[];
}

/** One action's policies. `enforced: false` with no policies is an empty filter that lets everything pass. */
export interface AuthorizationRules {
  readonly enforced: boolean;
  /** In the order of their names; for ALLOW, none of them matching means refusal. */
  readonly policies: readonly AuthorizationRule[];
  /** Who refuses where ALLOW is enforced without any policy: `Profile/zero-trust`, or the policy that allows nothing. */
  readonly refusal?: { readonly name: string; readonly origin: readonly Origin[] };
  /** What policies on trial would decide: it is counted and written down, and decides nothing. */
  readonly trial?: Omit<AuthorizationRules, "trial">;
}

/** One `rules[i]` of an AuthorizationPolicy; matches where any source, any operation and all conditions do. */
export interface AuthorizationRule {
  /** `ns[NAMESPACE]-policy[NAME]-rule[INDEX]`, Istio's form: it stands in RBAC statistics and in access logs. */
  readonly name: string;
  readonly when: RuleExpression;
  readonly origin: readonly Origin[];
}

/** A small algebra: what Envoy's RBAC principals and permissions are made of, without the split in two. */
export type RuleExpression =
  | { readonly kind: "any" }
  | { readonly kind: "never" }
  | { readonly kind: "and" | "or"; readonly of: readonly RuleExpression[] }
  | { readonly kind: "not"; readonly of: RuleExpression }
  | {
      readonly kind: "path" | "method" | "host" | "server-name" | "principal" | "namespace" | "request-principal";
      readonly value: StringMatch;
    }
  | { readonly kind: "claim"; readonly path: readonly string[]; readonly value: StringMatch }
  | { readonly kind: "header"; readonly header: HeaderMatch }
  | { readonly kind: "destination-port"; readonly port: number }
  | { readonly kind: "source-ip" | "remote-ip" | "destination-ip"; readonly cidr: string };
