import { expect, test } from "vitest";
import type { Answer } from "./engine.ts";
import { toCommonResult } from "./call-result.ts";
import type { CallResult } from "./result.ts";

type Verdict = CallResult["verdict"];

function judged(engine: CallResult["engine"], verdict: Verdict, status: number) {
  const answer: Answer = {
    decision: {
      outcomes: [
        {
          share: 1,
          outcome: {
            kind: "response",
            ...{ status, by: "proxy", attempts: 0, headers: [], mirroredTo: [], steps: [], because: [], via: [], delayMs: 0 },
          },
        },
      ],
    },
  };
  const position = { file: "t.yaml", line: 1, column: 1 };
  const reason = verdict === "pass" ? "" : `${verdict} of ${engine}`;
  return {
    answer,
    result: { position, test: "t", name: "c", engine, verdict, reason, mismatches: [], happened: "", because: [], path: [] },
  };
}

test.each<readonly [evaluator: readonly [Verdict, number], real: readonly [Verdict, number], common: Partial<CallResult>]>([
  [["pass", 200], ["pass", 200], { engine: "real", verdict: "pass" }],
  [["fail", 200], ["fail", 200], { engine: "real", verdict: "fail", reason: "fail of real" }],
  [["skip", 0], ["pass", 200], { engine: "real", verdict: "pass", isAlone: true }],
  [["skip", 0], ["fail", 200], { engine: "real", verdict: "fail", isAlone: true }],
  [["pass", 200], ["skip", 0], { engine: "evaluator", verdict: "pass", isAlone: true }],
  [["skip", 0], ["skip", 0], { engine: "real", verdict: "skip" }],
  [["fail", 200], ["pass", 200], { engine: "evaluator", verdict: "fail", reason: "the engines disagree: fail of evaluator" }],
  [["pass", 200], ["fail", 200], { engine: "real", verdict: "fail", reason: "the engines disagree: fail of real" }],
  [
    ["pass", 200],
    ["pass", 403],
    { engine: "real", verdict: "fail", reason: expect.stringContaining("status: expected 200 (evaluator), got 403") },
  ],
])("an evaluator's %j and a real %j are in common %j", (evaluator, real, common) => {
  const result = toCommonResult(judged("evaluator", ...evaluator), judged("real", ...real));
  expect(result).toMatchObject(common);
  expect(result.isAlone).toBe(common.isAlone);
});
