/**
 * Several documents that claim one name, where none of them is in force and none can be preferred: what counts then. Whoever can add a file
 * must not open by it what another file closes.
 */
import { stableHash } from "../../base/stable-hash.ts";
import type { AuthorizationPolicyBody, PeerAuthenticationBody, RequestAuthenticationBody } from "../bodies.ts";
import type { Body } from "../rules.ts";
import { readableSelector } from "./common.ts";

/** What is denied or handed to a provider by any of them is; what only is allowed is allowed by none. */
export function strictestAuthorization(bodies: readonly AuthorizationPolicyBody[]): readonly Body[] {
  return bodies.map((body) =>
    (body.spec?.action ?? "ALLOW") === "ALLOW" ? { spec: { ...readableSelector(body as Body), action: "ALLOW" } } : (body as Body),
  );
}

type Mode = NonNullable<NonNullable<PeerAuthenticationBody["spec"]>["mtls"]>["mode"];

/** For each port and for the rest the mode that takes fewest clients. */
export function strictestMtls(bodies: readonly PeerAuthenticationBody[]): readonly Body[] {
  const mode = strictestMode(bodies.map(({ spec }) => spec?.mtls?.mode));
  const ports = new Set(bodies.flatMap(({ spec }) => Object.keys(spec?.portLevelMtls ?? {})));
  const portLevelMtls = Object.fromEntries(
    [...ports].map((port) => [
      port,
      { mode: strictestMode(bodies.map(({ spec }) => spec?.portLevelMtls?.[port]?.mode ?? spec?.mtls?.mode)) },
    ]),
  );
  return bodies.map((body) => {
    const selector = readableSelector(body as Body);
    const hasSelector = Object.keys(selector).length > 0;
    return { spec: { ...selector, mtls: { mode }, ...(hasSelector && ports.size > 0 && { portLevelMtls }) } };
  });
}

/** UNSET asks a wider policy, which may be a strict one: beside another mode it counts as STRICT. */
function strictestMode(modes: readonly Mode[]): Mode {
  const [first, ...others] = modes.map((mode) => mode ?? "UNSET");
  if (others.every((other) => other === first)) return first;
  const known = modes.every((mode) => mode === "PERMISSIVE" || mode === "DISABLE");
  return known ? "PERMISSIVE" : "STRICT";
}

type JwtRule = NonNullable<NonNullable<RequestAuthenticationBody["spec"]>["jwtRules"]>[number];

/** Rules that stand in all of them count. An issuer that they speak of differently is known, but none of its tokens is taken. */
export function strictestTokens(bodies: readonly RequestAuthenticationBody[]): readonly Body[] {
  const byHash = new Map<string, { readonly rule: JwtRule; count: number }>();
  for (const { spec } of bodies) {
    for (const [hash, rule] of new Map((spec?.jwtRules ?? []).map((one) => [stableHash(one), one]))) {
      const known = byHash.get(hash) ?? { rule, count: 0 };
      byHash.set(hash, { ...known, count: known.count + 1 });
    }
  }
  const counting = [...byHash.values()].map(({ rule, count }) => (count === bodies.length ? rule : withoutKeys(rule)));
  const jwtRules = [...new Map(counting.map((rule) => [stableHash(rule), rule])).values()];
  return bodies.map((body) => ({ spec: { ...readableSelector(body as Body), jwtRules } }));
}

/** Translation refuses every token of an issuer whose keys are not known. */
function withoutKeys(rule: JwtRule): JwtRule {
  const { jwks: _, jwksUri: __, jwks_uri: ___, ...rest } = rule;
  return rest;
}
