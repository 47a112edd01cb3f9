import { formatPath, type JsonPath } from "../../model/position.ts";
import { didYouMean } from "../../base/did-you-mean.ts";
import type { AuthorizationPolicyBody } from "../bodies.ts";
import type { Honoured } from "../honoured.ts";
import { isCidr, isPort } from "../names.ts";
import { type Finding, type Report, wrong } from "../report.ts";
import type { Body, KindRules } from "../rules.ts";
import { isRecord, quote } from "../shape.ts";
import { checkLabels, checkTargets, hasTargets, readableSelector } from "./common.ts";
import { strictestAuthorization } from "./strictest.ts";

type Spec = NonNullable<AuthorizationPolicyBody["spec"]>;
type Rule = NonNullable<Spec["rules"]>[number];
type Condition = NonNullable<Rule["when"]>[number];

const honoured: Honoured<AuthorizationPolicyBody> = {
  spec: { action: true, provider: true, rules: true, selector: true, targetRef: false, targetRefs: false },
  status: true,
};

/** Istio's attributes for `when`; those that end in a bracket take a name: `request.headers[x-token]`. */
const KEYS = [
  "source.ip",
  "remote.ip",
  "source.namespace",
  "source.principal",
  "source.serviceAccount",
  "request.auth.principal",
  "request.auth.audiences",
].concat(["request.auth.presenter", "destination.ip", "destination.port", "connection.sni"]);
const KEYED = ["request.headers", "request.auth.claims", "experimental.envoy.filters."];

function check({ spec = {} }: AuthorizationPolicyBody, report: Report): void {
  const refuses = spec.action === "DENY" || spec.action === "CUSTOM";
  checkTargets(spec, report, refuses ? "it denies everything in its namespace" : undefined);
  checkLabels(spec.selector?.matchLabels, ["spec", "selector", "matchLabels"], report);
  if (spec.action === "CUSTOM" && (spec.provider?.name ?? "") === "")
    wrong(report, ["spec"], "a CUSTOM policy names who decides", "add provider.name, one of MeshConfig's extensionProviders");
  if (spec.action === "DENY" && spec.rules === undefined) {
    report({
      code: "KMK1003",
      path: ["spec"],
      message: "a DENY policy without rules denies nothing",
      help: "add rules; [{}] denies everything",
    });
  }
  for (const [i, rule] of (spec.rules ?? []).entries()) checkRule(rule, ["spec", "rules", i], report);
}

function checkRule(rule: Rule, path: JsonPath, report: Report): void {
  for (const part of ["from", "to", "when"] as const) {
    if (rule[part]?.length === 0)
      wrong(report, [...path, part], `${formatPath([...path, part])} is an empty list, which matches nothing`, "remove it, or fill it");
  }
  for (const [i, { source }] of (rule.from ?? []).entries()) {
    const at = [...path, "from", i, "source"];
    checkMatches(source, at, report);
    for (const field of ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] as const) {
      for (const [j, block] of (source?.[field] ?? []).entries()) {
        if (!isCidr(block)) wrong(report, [...at, field, j], `${formatPath([...at, field, j])} is no address or range of addresses`);
      }
    }
  }
  for (const [i, { operation }] of (rule.to ?? []).entries()) {
    const at = [...path, "to", i, "operation"];
    checkMatches(operation, at, report);
    for (const field of ["ports", "notPorts"] as const) {
      for (const [j, port] of (operation?.[field] ?? []).entries()) {
        if (!/^\d{1,5}$/.test(port) || !isPort(Number(port)))
          wrong(report, [...at, field, j], `${formatPath([...at, field, j])} is no port`);
      }
    }
    for (const field of ["paths", "notPaths"] as const) {
      for (const [j, pattern] of (operation?.[field] ?? []).entries()) checkPathTemplate(pattern, [...at, field, j], report);
    }
  }
  for (const [i, condition] of (rule.when ?? []).entries()) checkCondition(condition, [...path, "when", i], report);
}

/** `{*}` stands for one segment, `{**}` for any number and only once: Istio's path templates. */
function checkPathTemplate(pattern: string, path: JsonPath, report: Report): void {
  const braces = pattern.match(/\{[^}]*\}?|\}/g) ?? [];
  const isWrong = braces.some((brace) => brace !== "{*}" && brace !== "{**}") || braces.filter((brace) => brace === "{**}").length > 1;
  if (isWrong)
    wrong(report, path, `${formatPath(path)} is no path template`, "use {*} for one segment and {**} once for any number of them");
}

function checkMatches(matches: Readonly<Record<string, readonly string[] | undefined>> | undefined, path: JsonPath, report: Report): void {
  const set = Object.entries(matches ?? {}).filter(([, values]) => values !== undefined);
  if (set.length === 0) wrong(report, path, `${formatPath(path)} is empty`, "say what it matches");
  for (const [field, values = []] of set) {
    if (values.length === 0) wrong(report, [...path, field], `${formatPath([...path, field])} is an empty list`, "remove it, or fill it");
    for (const [i, value] of values.entries())
      if (value === "") wrong(report, [...path, field, i], `${formatPath([...path, field, i])} is empty`);
  }
}

function checkCondition({ key, values = [], notValues = [] }: Condition, path: JsonPath, report: Report): void {
  const isKnown = KEYS.includes(key) || (/^[^[]+\[[^[\]]+\](\[[^[\]]+\])*$/.test(key) && KEYED.some((prefix) => key.startsWith(prefix)));
  if (!isKnown) {
    const meant = didYouMean(key, [...KEYS, "request.headers[NAME]", "request.auth.claims[NAME]"]);
    wrong(
      report,
      [...path, "key"],
      `unknown attribute ${quote(key)}`,
      meant === undefined ? `use one of ${KEYS.join(", ")}, request.headers[NAME], request.auth.claims[NAME]` : `did you mean ${meant}?`,
    );
  }
  if (values.length + notValues.length === 0) wrong(report, path, `${formatPath(path)} has neither values nor notValues`);
  if (key !== "source.ip" && key !== "remote.ip" && key !== "destination.ip") return;
  for (const field of ["values", "notValues"] as const) {
    for (const [i, block] of (field === "values" ? values : notValues).entries()) {
      if (!isCidr(block)) wrong(report, [...path, field, i], `${formatPath([...path, field, i])} is no address or range of addresses`);
    }
  }
}

/**
 * Every field of a rule makes it match less. A rule of an ALLOW policy with a field that is not understood would allow more than was meant:
 * it allows nothing. In a DENY policy it goes on without the field and denies more.
 */
function narrow(body: AuthorizationPolicyBody, findings: readonly Finding[], report: Report): Body {
  const rules = body.spec?.rules;
  if (rules === undefined || (body.spec?.action ?? "ALLOW") !== "ALLOW") return body as Body;
  const doubtful = new Set(
    findings.flatMap(({ code, path }) => (code === "KMK1002" && path[1] === "rules" && typeof path[2] === "number" ? [path[2]] : [])),
  );
  for (const i of doubtful) {
    report({
      code: "KMK3001",
      path: ["spec", "rules", i],
      message: `${formatPath(["spec", "rules", i])} allows nothing: a field of it is unknown`,
      help: "correct the field",
    });
  }
  return doubtful.size === 0 ? (body as Body) : { ...body, spec: { ...body.spec, rules: rules.filter((_, i) => !doubtful.has(i)) } };
}

/** A wrong ALLOW policy allows nothing; a wrong DENY or CUSTOM policy denies everything to what it selects. */
function fallback(body: Body): Body | undefined {
  const action = isRecord(body["spec"]) ? (body["spec"]["action"] ?? "ALLOW") : "ALLOW";
  // Sidecars ignore a policy for the Gateway API, which is safe only as long as it would have allowed.
  if (hasTargets(body) && action === "ALLOW") return undefined;
  const strict = action === "ALLOW" ? { action: "ALLOW" } : { action: "DENY", rules: [{}] };
  return action === "AUDIT" ? undefined : { spec: { ...readableSelector(body), ...strict } };
}

export const authorizationPolicy = {
  honoured,
  check,
  narrow,
  fallback,
  strictest: strictestAuthorization,
  strictSpec: true,
} satisfies KindRules;
