import { setImmediate } from "node:timers/promises";
import { formatPosition, type SourcePosition } from "../../model/position.ts";
import { formatRef, refOf, type LocatedResource } from "../../model/resource.ts";
import type { LoadedFile } from "../load.ts";
import { isChosen, type RunOptions } from "../run.ts";
import { type Mutant, mutantsOf } from "./mutant.ts";
import { RememberedTokens } from "./remembered-tokens.ts";
import { type Notice, Subject } from "./subject.ts";

/** A change of the configuration that no call noticed. */
export interface Survivor {
  readonly position: SourcePosition;
  /** `Kind/namespace/name`. */
  readonly resource: string;
  /** `spec.rules[1] dropped`. */
  readonly change: string;
}

/** How much of what the configuration says the tests hold on to. */
export interface Mutation {
  /** Changes that a call failed with. */
  readonly killed: number;
  /** In order of file and line. */
  readonly survivors: readonly Survivor[];
  /** Changes after which every proxy is sent the same as before: nothing can notice them. */
  readonly equivalent: number;
  /** Changes of which the evaluator can't say whether they would be noticed. */
  readonly undecided: number;
  /** Share of the killed among killed and survivors, in percent; 100 where there are none. */
  readonly score: number;
}

export interface MutateOptions extends Pick<RunOptions, "filter" | "nowMs"> {
  /** Ends it early. */
  readonly signal?: AbortSignal;
}

/** How long nothing else gets a turn. */
const TURN_MS = 50;

/**
 * Changes one rule at a time and runs the tests on the changed mesh, by the evaluator. Only what passes unchanged can notice a change: run the
 * tests first. A resource that several tests share is changed in all of them at once.
 * Undefined where it was ended early.
 */
export async function mutate(files: readonly LoadedFile[], { filter, nowMs, signal }: MutateOptions): Promise<Mutation | undefined> {
  const issuers = new RememberedTokens();
  const subjects = files.flatMap(({ tests }) =>
    tests.map((loaded) => new Subject(loaded, { issuers, nowMs, isChosen: (call) => isChosen(call, loaded.test.name, filter) })),
  );
  let [killed, equivalent, undecided] = [0, 0, 0];
  const survivors: Survivor[] = [];
  let turn = performance.now();
  for (const trials of trialsOf(subjects)) {
    if (performance.now() - turn > TURN_MS) {
      await setImmediate();
      if (signal?.aborted === true) return undefined;
      turn = performance.now();
    }
    const fate = fateOf(trials);
    if (fate === "noticed") killed++;
    else if (fate === "equivalent") equivalent++;
    else if (fate === "undecided") undecided++;
    else survivors.push(...trials.slice(0, 1).map(({ mutant }) => toSurvivor(mutant)));
  }
  const counted = killed + survivors.length;
  const inOrder = survivors.toSorted(
    (a, b) => compare(a.position.file, b.position.file) || a.position.line - b.position.line || a.position.column - b.position.column,
  );
  return { killed, survivors: inOrder, equivalent, undecided, score: counted === 0 ? 100 : (100 * killed) / counted };
}

/** One mutant in one of the tests that read its resource. */
interface Trial {
  readonly subject: Subject;
  readonly own: LocatedResource;
  readonly mutant: Mutant;
}

/** The same change of the same document, in all tests that read it. */
function trialsOf(subjects: readonly Subject[]): Iterable<readonly Trial[]> {
  const byChange = new Map<string, Trial[]>();
  for (const subject of subjects.filter(({ passing }) => passing > 0)) {
    for (const own of subject.resources) {
      const place = own.locate([]);
      const document = `${formatPosition(place)}:${place.column} ${own.kind} ${own.metadata.name}`;
      for (const mutant of mutantsOf(own)) {
        const key = `${document} ${mutant.change}`;
        const trials = byChange.get(key) ?? [];
        byChange.set(key, trials);
        trials.push({ subject, own, mutant });
      }
    }
  }
  return byChange.values();
}

type Fate = Notice | "equivalent";

function fateOf(trials: readonly Trial[]): Fate {
  try {
    return judgeAll(trials);
  } catch {
    // Our bug with one mutant is no reason to try no other.
    return "undecided";
  }
}

function judgeAll(trials: readonly Trial[]): Fate {
  let [undecided, equivalent] = [false, true];
  for (const { subject, own, mutant } of trials) {
    const mesh = subject.meshWith(own, mutant);
    const notice = subject.judge(own, mutant, mesh);
    if (notice === "noticed") return notice;
    undecided ||= notice === "undecided";
    equivalent &&= subject.isEquivalent(mesh);
  }
  if (undecided) return "undecided";
  return equivalent ? "equivalent" : "unnoticed";
}

function toSurvivor({ original, position, change }: Mutant): Survivor {
  return { position, resource: formatRef(refOf(original)), change };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
