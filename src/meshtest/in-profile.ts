import type { Decision, Outcome } from "../evaluate/index.ts";
import type { MeshTest } from "./document.ts";

/** Where no resource decided, the test's own profile did: proxies don't know its name. */
export function inProfile({ outcomes }: Decision, profile: MeshTest["profile"]): Decision {
  const named = `Profile/${profile}` as const;
  const toNamed = (outcome: Outcome): Outcome => ({
    ...outcome,
    because: outcome.because.map((reason) => (typeof reason === "string" ? named : reason)),
  });
  return { outcomes: outcomes.map(({ share, outcome }) => ({ share, outcome: toNamed(outcome) })) };
}
