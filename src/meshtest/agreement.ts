import type { Decision, Outcome } from "../evaluate/index.ts";
import { answererOf, type Mismatch } from "./judge.ts";

/** What both engines must say alike of a request, whatever a call expects. */
type Facts = Readonly<Record<string, string>>;

/**
 * In what a real run differs from the evaluator's decision: each way in which a real request ended must be one of those that the evaluator gives.
 * Empty where they agree.
 */
export function disagreements(evaluated: Decision, real: Decision): readonly Mismatch[] {
  const possible = evaluated.outcomes.filter(({ share }) => share > 0).map(({ outcome }) => factsOf(outcome));
  for (const { outcome } of real.outcomes) {
    const seen = factsOf(outcome);
    const differences = possible.map((facts) => differencesOf(facts, seen)).toSorted((a, b) => a.length - b.length)[0] ?? [];
    if (differences.length > 0) return differences;
  }
  return [];
}

function differencesOf(evaluated: Facts, real: Facts): readonly Mismatch[] {
  return [...new Set([...Object.keys(evaluated), ...Object.keys(real)])].flatMap((field) => {
    const [expected, happened] = [evaluated[field] ?? "nothing", real[field] ?? "nothing"];
    return expected === happened ? [] : [{ field, expected: `${expected} (evaluator)`, happened: `${happened} (real)` }];
  });
}

function factsOf(outcome: Outcome): Facts {
  const to = answererOf(outcome) ?? "no application";
  if (outcome.kind === "open")
    return { connection: "open", to, "received.principal": outcome.principal ?? "none", "received.tls": `${outcome.tls}` };
  if (outcome.kind !== "response") return { connection: outcome.kind };
  const { status, grpcStatus, received } = outcome;
  if (received === undefined) return { status: `${status}`, grpcStatus: grpcStatus ?? "none", to };
  const { path, method, authority, protocol, principal = "none", tls } = received;
  const got = { path, method, authority, protocol, principal, tls: `${tls}` };
  return {
    status: `${status}`,
    grpcStatus: grpcStatus ?? "none",
    to,
    ...Object.fromEntries(Object.entries(got).map(([field, value]) => [`received.${field}`, value])),
  };
}
