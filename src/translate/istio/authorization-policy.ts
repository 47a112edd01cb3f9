import type { ExternalAuthorizer } from "../../ir/authorizer.ts";
import type { AuthorizationRule, AuthorizationRules, Policies } from "../../ir/policy.ts";
import type { Finding } from "../../mesh/finding.ts";
import type { Origin } from "../../model/origin.ts";
import { refOf } from "../../model/resource.ts";
import { DRY_RUN, readDryRun } from "../../schema/dry-run.ts";
import { type AuthorizationPolicy, compileRule, type RuleTarget } from "./authorization-policy-rule.ts";
import type { FieldScope } from "./authorization-policy-field.ts";
import type { ReachableAuthorizer } from "./authorizer.ts";

export interface AuthorizationInputs {
  /** Of the mesh, the namespace and the workload. */
  readonly policies: readonly AuthorizationPolicy[];
  readonly trustDomains: readonly string[];
  readonly boundPorts: Readonly<Record<number, number>>;
  /** A request passes only where a policy allows it. */
  readonly defaultDeny: boolean;
  /** Whether a port of the workload is TCP: else what TCP can't say concerns nobody. */
  readonly hasTcpPorts: boolean;
  /** Whom CUSTOM policies name. */
  readonly authorizers: ReadonlyMap<string, ReachableAuthorizer>;
}

export interface Authorization {
  readonly http: Pick<Policies, "custom" | "asked" | "deny" | "allow">;
  readonly tcp: { readonly deny: AuthorizationRules; readonly allow: AuthorizationRules };
  readonly findings: readonly Finding[];
}

type Compile = (policies: readonly AuthorizationPolicy[], action: RuleTarget["action"]) => readonly AuthorizationRule[];

const DEFAULT_DENY = { name: "Profile/zero-trust", origin: [] } as const;
const NO_RULES: AuthorizationRules = { enforced: false, policies: [] };

/**
 * AuthorizationPolicies as rules for HTTP and for bytes. What can't be said makes a policy stricter, never wider. What CUSTOM rules match is
 * refused where nobody can be asked: of bytes, and where the authorizer is not there.
 */
export function toAuthorization(inputs: AuthorizationInputs): Authorization {
  const findings: Finding[] = [];
  const trial = inputs.policies.filter(isOnTrial);
  const enforced = inputs.policies.filter((policy) => !isOnTrial(policy));
  const custom = byAction(enforced, "CUSTOM");
  const http = compiler("http", inputs, findings);
  const tcp = compiler("tcp", inputs, findings);
  const asking = chooseAuthorizer(custom, inputs);
  const customRules = refusing(http(custom, "DENY"));
  const customBytes = tcp(custom, "DENY");
  if (customBytes.length > 0 && inputs.hasTcpPorts) findings.push(...custom.map(bytesAreRefused));
  const deny = (compile: Compile, others: readonly AuthorizationRule[] = []): AuthorizationRules => ({
    ...refusing([...others, ...compile(byAction(enforced, "DENY"), "DENY")]),
    ...onTrial(refusing(compile(byAction(trial, "DENY"), "DENY"))),
  });
  const allow = (compile: Compile): AuthorizationRules => ({
    ...allowing(compile, byAction(enforced, "ALLOW"), inputs.defaultDeny),
    ...onTrial(allowing(compile, byAction(trial, "ALLOW"), false)),
  });
  return {
    http: {
      ...("authorizer" in asking
        ? { custom: NO_RULES, asked: { rules: customRules, authorizer: asking.authorizer } }
        : { custom: customRules }),
      deny: deny(http),
      allow: allow(http),
    },
    tcp: { deny: deny(tcp, customBytes), allow: allow(tcp) },
    findings: [...inputs.policies.flatMap(notHonoured), ...("findings" in asking ? asking.findings : []), ...findings],
  };
}

function isOnTrial({ metadata }: AuthorizationPolicy): boolean {
  return readDryRun(metadata.annotations) === true;
}

function onTrial(rules: AuthorizationRules): Pick<AuthorizationRules, "trial"> {
  return rules.enforced ? { trial: rules } : {};
}

function byAction(policies: readonly AuthorizationPolicy[], action: string): AuthorizationPolicy[] {
  return policies.filter((policy) => actionOf(policy) === action).sort(byName);
}

type Asking = { readonly authorizer: ExternalAuthorizer } | { readonly findings: readonly Finding[] };

/** One authorizer for a workload, as Istio has it: policies that name several are refused what they match. */
function chooseAuthorizer(custom: readonly AuthorizationPolicy[], { authorizers }: AuthorizationInputs): Asking {
  const [first] = custom;
  if (first === undefined) return { findings: [] };
  const names = [...new Set(custom.map(providerOf))];
  const chosen = names.length === 1 ? authorizers.get(providerOf(first)) : undefined;
  if (chosen !== undefined && "authorizer" in chosen) return chosen;
  const problem =
    chosen?.problem ?? (names.length > 1 ? `policies of one workload name several authorizers (${names.join(", ")})` : "nobody is asked");
  const help = names.length > 1 ? "let one authorizer decide for the workload" : "correct provider.name, or declare the authorizer";
  return {
    findings: custom.map((policy) => ({
      code: "KMK3001",
      message: `${problem}: requests that its rules match are refused`,
      help,
      origin: { ref: refOf(policy), path: ["spec", "provider"] },
    })),
  };
}

function bytesAreRefused(policy: AuthorizationPolicy): Finding {
  return {
    code: "KMK3001",
    message: "an authorizer is asked about HTTP requests only: other connections that its rules match are refused",
    origin: { ref: refOf(policy), path: ["spec", "provider"] },
  };
}

export function providerOf(policy: AuthorizationPolicy): string {
  return policy.body.spec?.provider?.name ?? "";
}

function compiler(protocol: RuleTarget["protocol"], inputs: AuthorizationInputs, findings: Finding[]): Compile {
  const { trustDomains, boundPorts } = inputs;
  return (policies, action) =>
    policies.flatMap((policy) => {
      const scope: FieldScope = { namespace: policy.metadata.namespace, trustDomains, boundPorts };
      const compiled = (policy.body.spec?.rules ?? []).map((rule, i) => compileRule(policy, rule, i, { protocol, action, scope }));
      if (protocol === "http" || inputs.hasTcpPorts) findings.push(...compiled.flatMap((result) => result.findings));
      return compiled.flatMap(({ rule }) => rule ?? []);
    });
}

/** A policy without rules never matches. */
function refusing(policies: readonly AuthorizationRule[]): AuthorizationRules {
  return policies.length === 0 ? NO_RULES : { enforced: true, policies };
}

/** One ALLOW policy is enough that everything else is refused, be it one that allows nothing. */
function allowing(compile: Compile, policies: readonly AuthorizationPolicy[], defaultDeny: boolean): AuthorizationRules {
  const [first] = policies;
  const rules = compile(policies, "ALLOW");
  if (first === undefined) return defaultDeny ? { enforced: true, policies: [], refusal: DEFAULT_DENY } : NO_RULES;
  const origin: readonly Origin[] = policies.map((policy) => ({ ref: refOf(policy), path: ["spec"] }));
  return { enforced: true, policies: rules, refusal: { name: `ns[${first.metadata.namespace}]-policy[${first.metadata.name}]`, origin } };
}

function notHonoured(policy: AuthorizationPolicy): readonly Finding[] {
  const ref = refOf(policy);
  const action = actionOf(policy);
  if (action === "AUDIT") {
    const message = "action AUDIT is not honoured yet: the policy has no effect";
    return [{ code: "KMK1003", message, origin: { ref, path: ["spec", "action"] } }];
  }
  if (action !== "CUSTOM" || !isOnTrial(policy)) return [];
  const message = "a dry run asks no authorizer: the policy has no effect";
  return [{ code: "KMK1003", message, origin: { ref, path: ["metadata", "annotations", DRY_RUN] } }];
}

function actionOf(policy: AuthorizationPolicy): string {
  return policy.body.spec?.action ?? "ALLOW";
}

function byName(a: AuthorizationPolicy, b: AuthorizationPolicy): number {
  const [one, other] = [a, b].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  return (one ?? "") < (other ?? "") ? -1 : 1;
}
