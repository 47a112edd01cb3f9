import { formatPath, type JsonPath } from "../../model/position.ts";
import type { PeerAuthenticationBody, RequestAuthenticationBody } from "../bodies.ts";
import type { Honoured } from "../honoured.ts";
import { isPort } from "../names.ts";
import { type Report, wrong } from "../report.ts";
import type { Body, KindRules } from "../rules.ts";
import { isRecord } from "../shape.ts";
import { checkLabels, checkTargets, readableSelector } from "./common.ts";
import { strictestMtls, strictestTokens } from "./strictest.ts";

type JwtRule = NonNullable<NonNullable<RequestAuthenticationBody["spec"]>["jwtRules"]>[number];

/** Members of a JWK that are secret: private halves of RSA, EC and OKP keys, and symmetric keys (RFC 7518, section 6). */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const honouredPeer: Honoured<PeerAuthenticationBody> = { spec: { mtls: true, portLevelMtls: true, selector: true }, status: true };

function checkPeer({ spec = {} }: PeerAuthenticationBody, report: Report): void {
  checkLabels(spec.selector?.matchLabels, ["spec", "selector", "matchLabels"], report);
  const ports = Object.keys(spec.portLevelMtls ?? {});
  for (const port of ports) {
    if (!/^\d{1,5}$/.test(port) || !isPort(Number(port)))
      wrong(report, ["spec", "portLevelMtls", port], `${JSON.stringify(port.slice(0, 20))} is no port`);
  }
  if (ports.length > 0 && Object.keys(spec.selector?.matchLabels ?? {}).length === 0) {
    wrong(report, ["spec", "portLevelMtls"], "portLevelMtls needs a selector: ports belong to workloads", "add spec.selector");
  }
}

/** A policy that can't be understood asks for mTLS. */
function strictMtls(body: Body): Body {
  return { spec: { ...readableSelector(body), mtls: { mode: "STRICT" } } };
}

export const peerAuthentication = {
  honoured: honouredPeer,
  check: checkPeer,
  fallback: strictMtls,
  strictest: strictestMtls,
  strictSpec: true,
} satisfies KindRules;

const honouredRequest: Honoured<RequestAuthenticationBody> = {
  spec: {
    jwtRules: {
      audiences: true,
      forwardOriginalToken: true,
      fromCookies: true,
      fromHeaders: true,
      fromParams: true,
      issuer: true,
      jwks: true,
      jwks_uri: true,
      jwksUri: true,
      outputClaimToHeaders: true,
      outputPayloadToHeader: true,
      spaceDelimitedClaims: false,
      timeout: true,
    },
    selector: true,
    targetRef: false,
    targetRefs: false,
  },
  status: true,
};

function checkRequest({ spec = {} }: RequestAuthenticationBody, report: Report): void {
  checkTargets(spec, report);
  checkLabels(spec.selector?.matchLabels, ["spec", "selector", "matchLabels"], report);
  for (const [i, rule] of (spec.jwtRules ?? []).entries()) checkJwtRule(rule, ["spec", "jwtRules", i], report);
}

function checkJwtRule(rule: JwtRule, path: JsonPath, report: Report): void {
  if ((rule.issuer ?? "") === "") wrong(report, [...path, "issuer"], `${formatPath(path)} names no issuer`);
  for (const [i, audience] of (rule.audiences ?? []).entries())
    if (audience === "") wrong(report, [...path, "audiences", i], "an audience can't be empty");
  const uri = rule.jwksUri ?? rule.jwks_uri;
  if (uri !== undefined && uri !== "" && !/^https?:\/\/[^\s/?#]+\S*$/.test(uri))
    wrong(report, [...path, "jwksUri"], "jwksUri must be an http or https address");
  if (rule.jwks !== undefined && rule.jwks !== "") checkKeySet(rule.jwks, [...path, "jwks"], report);
  for (const [i, { name }] of (rule.fromHeaders ?? []).entries())
    if (name === "") wrong(report, [...path, "fromHeaders", i, "name"], "a header needs a name");
  for (const [i, { header, claim }] of (rule.outputClaimToHeaders ?? []).entries()) {
    if (!/^[A-Za-z0-9_-]+$/.test(header))
      wrong(report, [...path, "outputClaimToHeaders", i, "header"], "the header's name may have letters, digits, - and _");
    if (claim === "") wrong(report, [...path, "outputClaimToHeaders", i, "claim"], "the claim's name is empty");
  }
}

/** A JSON Web Key Set (RFC 7517, section 5) of public keys. Nothing of it is repeated in a message. */
function checkKeySet(text: string, path: JsonPath, report: Report): void {
  const keys = parseKeys(text);
  if (keys === undefined)
    return report({ code: "KMK3002", path, message: `${formatPath(path)} is no JSON Web Key Set`, help: 'write {"keys": [...]}' });
  if (keys.length === 0) report({ code: "KMK3002", path, message: `${formatPath(path)} holds no key` });
  for (const [i, key] of keys.entries()) {
    if (!isRecord(key) || typeof key["kty"] !== "string")
      report({ code: "KMK3002", path, message: `key ${i} of ${formatPath(path)} has no kty` });
    else if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(key, member))) {
      report({
        code: "KMK3002",
        path,
        message: `key ${i} of ${formatPath(path)} is private`,
        help: "replace it: whoever has read this file can sign tokens; write its public half here",
      });
    }
  }
}

function parseKeys(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) && Array.isArray(value["keys"]) ? value["keys"] : undefined;
  } catch {
    return undefined;
  }
}

export const requestAuthentication = {
  honoured: honouredRequest,
  check: checkRequest,
  strictest: strictestTokens,
  strictSpec: true,
} satisfies KindRules;
