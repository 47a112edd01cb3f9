import type { Decision } from "../evaluate/index.ts";
import { disagreements } from "./agreement.ts";
import type { Call } from "./document.ts";
import type { Answer, EngineName, PreparedTest } from "./engine.ts";
import { inProfile } from "./in-profile.ts";
import { judge } from "./judge.ts";
import { type CallResult, describeMismatches, describeOutcome, pathOf, reasonsOf } from "./result.ts";

/** What one engine's answer means for a call. */
export function toCallResult(call: Call, answer: Answer, engine: EngineName, { loaded, mesh, names }: PreparedTest): CallResult {
  const common = { position: call.position, test: loaded.test.name, name: call.name, engine } as const;
  if ("failure" in answer)
    return { ...common, verdict: "fail", reason: answer.failure, mismatches: [], happened: answer.failure, because: [], path: [] };
  const decision = inProfile(answer.decision, loaded.test.profile);
  const verdict = judge(call, decision, names);
  const shown = (verdict.verdict === "fail" ? verdict.outcome : undefined) ?? decision.outcomes[0]?.outcome;
  const mismatches = verdict.verdict === "fail" ? verdict.mismatches : [];
  return {
    ...common,
    verdict: verdict.verdict,
    reason: verdict.verdict === "skip" ? verdict.reason : describeMismatches(mismatches),
    mismatches,
    happened: shown === undefined ? "" : describeOutcome(shown),
    because: shown === undefined ? [] : reasonsOf(shown, mesh),
    path: shown === undefined ? [] : pathOf(shown, mesh),
  };
}

interface Judged {
  readonly answer: Answer;
  readonly result: CallResult;
}

/** One verdict of two: where one engine can't judge, the other's; where they disagree, a failure whatever was expected. */
export function toCommonResult(evaluated: Judged, real: Judged): CallResult {
  if (evaluated.result.verdict === "skip") return real.result.verdict === "skip" ? real.result : { ...real.result, isAlone: true };
  if (real.result.verdict === "skip") return { ...evaluated.result, isAlone: true };
  const differences = differencesOf(evaluated.answer, real.answer);
  const isAlike = differences.length === 0 && evaluated.result.verdict === real.result.verdict;
  if (isAlike) return real.result;
  const failed = evaluated.result.verdict === "fail" && real.result.verdict === "pass" ? evaluated.result : real.result;
  const mismatches = [...differences, ...failed.mismatches];
  const reason = `the engines disagree: ${describeMismatches(mismatches) || failed.reason}`;
  return { ...failed, verdict: "fail", mismatches, reason };
}

function differencesOf(evaluated: Answer, real: Answer): ReturnType<typeof disagreements> {
  const decisionOf = (answer: Answer): Decision | undefined => ("decision" in answer ? answer.decision : undefined);
  const [one, other] = [decisionOf(evaluated), decisionOf(real)];
  return one === undefined || other === undefined ? [] : disagreements(one, other);
}
