import { type Diagnostic, formatDiagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { toCallResult, toCommonResult } from "./call-result.ts";
import { CoverageRecord } from "./coverage.ts";
import type { Call } from "./document.ts";
import type { Answer, Engine, EngineName, PreparedTest } from "./engine.ts";
import { createEvaluator } from "./evaluator-engine.ts";
import { isExpected, missingDiagnostics } from "./expected-diagnostic.ts";
import { type FileError, fileError } from "./file-error.ts";
import { TestIssuers } from "./issuers.ts";
import type { LoadedFile, LoadedTest } from "./load.ts";
import { checkNames, WorkloadNames } from "./names.ts";
import { TestAuthorities } from "./real/authorities.ts";
import { createRealEngine } from "./real/engine.ts";
import type { Lab } from "./real/lab.ts";
import type { CallResult, TestRun } from "./result.ts";
import { type CertificateFor, TestMesh } from "./test-mesh.ts";

export interface RunOptions {
  /** Only calls whose name, or whose test's name, contains this text, in any case. */
  readonly filter?: string;
  /** Asks for every proxy's configuration, so that nothing that could be reached is missing. It is the evaluator's calls that reach. */
  readonly coverage?: boolean;
  readonly nowMs: number;
  /** The evaluator alone where absent. */
  readonly engine?: EngineName | "both";
  /** What runs real proxies. Needed for `real` and `both`; left open. */
  readonly lab?: Lab;
  /** Meshes that run at a time (3). */
  readonly atOnce?: number;
}

/** A mesh waits more than it computes while its Envoys start. */
const MESHES_AT_ONCE = 3;
const MOST_REASON = 1000;
const knownIssuers = new TestIssuers();

/**
 * Runs the calls of all files, each test in a mesh of its own or one that is equal, in order. What can't be run is an error of its file.
 * @throws MeshError only for our own bugs.
 */
export async function runTests(files: readonly LoadedFile[], options: RunOptions): Promise<TestRun> {
  const authorities = options.engine === undefined || options.engine === "evaluator" ? undefined : new TestAuthorities(Date.now());
  const { tests, errors, reasons } = prepareAll(files, options, authorities?.secretFor);
  const engines = enginesFor(tests, options, authorities);
  const coverage = new CoverageRecord();
  const calls: CallResult[] = [];
  const diagnostics = new Map(reasons.map((reason) => [formatDiagnostic(reason), reason]));
  for (const test of tests) {
    const judged = await judgeTest(test, engines, options.coverage === true ? coverage : undefined);
    if (!("results" in judged)) errors.push(judged);
    else calls.push(...judged.results);
    const said = concludeTest(test, options, coverage);
    calls.push(...said.missing);
    for (const found of said.diagnostics) diagnostics.set(formatDiagnostic(found), found);
  }
  const count = (verdict: CallResult["verdict"]) => calls.filter((call) => call.verdict === verdict).length;
  const alone = options.engine === "both" ? { alone: calls.filter(({ isAlone }) => isAlone === true).length } : {};
  const totals = { pass: count("pass"), fail: count("fail"), skip: count("skip"), errors: errors.length, ...alone };
  return { calls, errors, diagnostics: [...diagnostics.values()], totals, coverage: coverage.result() };
}

interface Prepared {
  readonly tests: readonly PreparedTest[];
  readonly errors: FileError[];
  /** Of files that name what isn't there: resources that can't be used, and so don't declare it. */
  readonly reasons: readonly Diagnostic[];
}

/** A file with an error in it is used not at all, the others are. */
function prepareAll(files: readonly LoadedFile[], { filter }: RunOptions, certificateFor: CertificateFor | undefined): Prepared {
  const errors: FileError[] = [];
  const tests: PreparedTest[] = [];
  const reasons: Diagnostic[] = [];
  for (const file of files) {
    errors.push(...file.errors);
    const own = file.tests.map((loaded) => prepare(loaded, filter, certificateFor));
    const wrong = own.flatMap(({ loaded, names }) => checkNames(loaded.test, names));
    errors.push(...wrong);
    if (wrong.length === 0) tests.push(...own);
    else reasons.push(...file.tests.flatMap(({ diagnostics }) => diagnostics.filter(({ severity }) => severity === "error")));
  }
  return { tests, errors, reasons };
}

function prepare(loaded: LoadedTest, filter: string | undefined, certificateFor: CertificateFor | undefined): PreparedTest {
  const mesh = new TestMesh(loaded, knownIssuers, certificateFor && { certificateFor });
  const names = new WorkloadNames(mesh.workloads, loaded.test.namespace);
  return { loaded, mesh, names, calls: loaded.test.calls.filter((call) => isChosen(call, loaded.test.name, filter)) };
}

export function isChosen(call: Call, test: string, filter: string | undefined): boolean {
  return filter === undefined || `${test} ${call.name}`.toLowerCase().includes(filter.toLowerCase());
}

interface Engines {
  readonly evaluator?: Engine;
  readonly real?: Engine;
}

function enginesFor(tests: readonly PreparedTest[], options: RunOptions, authorities: TestAuthorities | undefined): Engines {
  const { engine = "evaluator", lab, nowMs, atOnce = MESHES_AT_ONCE } = options;
  const evaluator = engine === "real" ? undefined : createEvaluator({ issuers: knownIssuers, nowMs });
  if (authorities === undefined) return { ...(evaluator && { evaluator }) };
  if (lab === undefined) throw new MeshError("bug", "the real engine was given nothing to run proxies with");
  const real = createRealEngine(tests, { lab, issuers: knownIssuers, authorities, now: Date.now, atOnce });
  return { ...(evaluator && { evaluator }), real };
}

async function judgeTest(
  test: PreparedTest,
  { evaluator, real }: Engines,
  coverage: CoverageRecord | undefined,
): Promise<{ readonly results: readonly CallResult[] } | FileError> {
  const evaluated = await evaluator?.decide(test);
  for (const answer of evaluated ?? []) if ("decision" in answer) reach(coverage, answer, test);
  try {
    const seen = await real?.decide(test);
    return { results: test.calls.map((call, i) => resultOf(call, evaluated?.[i], seen?.[i], test)) };
  } catch (thrown) {
    const { message, help } = MeshError.from(thrown);
    const { name, position } = test.loaded.test;
    // What an Envoy says of a resource that it refuses has many lines.
    const why = message.replaceAll(/\s+/g, " ").slice(0, MOST_REASON);
    return fileError(position, `the mesh of test ${name} can't be started: ${why}`, help);
  }
}

function reach(coverage: CoverageRecord | undefined, { decision }: Extract<Answer, { decision: unknown }>, { mesh }: PreparedTest): void {
  for (const { outcome } of decision.outcomes) coverage?.reach(outcome, mesh);
}

function resultOf(call: Call, evaluated: Answer | undefined, seen: Answer | undefined, test: PreparedTest): CallResult {
  const judged = (answer: Answer, engine: EngineName) => ({ answer, result: toCallResult(call, answer, engine, test) });
  if (evaluated !== undefined && seen !== undefined) return toCommonResult(judged(evaluated, "evaluator"), judged(seen, "real"));
  if (seen !== undefined) return judged(seen, "real").result;
  if (evaluated === undefined) throw new MeshError("bug", `call ${call.name} has no answer`);
  return judged(evaluated, "evaluator").result;
}

/** What the mesh says of a test's resources, and the expectations of it that were not met. */
function concludeTest({ loaded, mesh }: PreparedTest, { coverage, filter, engine }: RunOptions, record: CoverageRecord) {
  const { test } = loaded;
  const isWhole = filter === undefined;
  if (coverage === true || (isWhole && test.expectDiagnostics.length > 0)) mesh.translateAll();
  if (coverage === true) record.expectAll(mesh);
  const said = [...loaded.diagnostics, ...mesh.diagnostics()];
  return {
    missing: isWhole ? missingDiagnostics(test, said, engine === "real" ? "real" : "evaluator") : [],
    diagnostics: said.filter((found) => !test.expectDiagnostics.some((expected) => isExpected(found, expected))),
  };
}
