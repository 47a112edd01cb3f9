import { type Decision, evaluate, type MeshView } from "../evaluate/index.ts";
import { MeshError } from "../model/error.ts";
import { begin, type BeginInputs } from "./begin.ts";
import type { Call } from "./document.ts";
import type { Answer, Engine, PreparedTest } from "./engine.ts";

/** Answers from the generated configuration: no network, no process, no waiting. */
export function createEvaluator(inputs: BeginInputs): Engine {
  return {
    name: "evaluator",
    decide: (test) => Promise.resolve(test.calls.map((call) => answer(call, test, inputs))),
  };
}

function answer(call: Call, test: PreparedTest, inputs: BeginInputs): Answer {
  try {
    return { decision: decide(call, test, inputs) };
  } catch (error) {
    // Our bug in one call is no reason to keep the others from being judged.
    return { failure: `the evaluator failed: ${MeshError.from(error).message}` };
  }
}

function decide(call: Call, test: PreparedTest, inputs: BeginInputs): Decision {
  return follow(begin(call, test, inputs), test.mesh);
}

/** How what begins so ends, by what a view says of the mesh. */
export function follow(begun: ReturnType<typeof begin>, view: MeshView): Decision {
  if ("decision" in begun) return begun.decision;
  return {
    outcomes: begun.beginnings.flatMap(({ share, request }) =>
      evaluate(request, view).outcomes.map((ended) => ({ share: share * ended.share, outcome: ended.outcome })),
    ),
  };
}
