import { type Decision, evaluate, type Outcome } from "../evaluate/index.ts";
import { type Diagnostic, formatDiagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { formatRef } from "../model/resource.ts";
import { CoverageRecord } from "./coverage.ts";
import type { Call, ExpectedDiagnostic } from "./document.ts";
import type { FileError } from "./file-error.ts";
import { TestIssuers } from "./issuers.ts";
import { judge } from "./judge.ts";
import type { LoadedFile, LoadedTest } from "./load.ts";
import { checkNames, WorkloadNames } from "./names.ts";
import { type CallResult, describeMismatches, describeOutcome, pathOf, reasonsOf, type TestRun } from "./result.ts";
import { TestMesh } from "./test-mesh.ts";
import { toRequests } from "./to-request.ts";

export interface RunOptions {
  /** Only calls whose name, or whose test's name, contains this text, in any case. */
  readonly filter?: string;
  /** Asks for every proxy's configuration, so that nothing that could be reached is missing. */
  readonly coverage?: boolean;
  readonly nowMs: number;
}

const knownIssuers = new TestIssuers();

/** Runs the calls of all files by the evaluator, each test in a mesh of its own, in order. */
export function runTests(files: readonly LoadedFile[], options: RunOptions): TestRun {
  const calls: CallResult[] = [];
  const errors: FileError[] = [];
  const diagnostics = new Map<string, Diagnostic>();
  const coverage = new CoverageRecord();
  for (const file of files) {
    errors.push(...file.errors);
    const meshes = file.tests.map((loaded) => prepare(loaded));
    const wrong = meshes.flatMap(({ loaded, names }) => checkNames(loaded.test, names));
    errors.push(...wrong);
    if (wrong.length > 0) continue;
    for (const prepared of meshes) {
      const ran = runTest(prepared, options, coverage);
      calls.push(...ran.calls);
      for (const found of ran.diagnostics) diagnostics.set(formatDiagnostic(found), found);
    }
  }
  const count = (verdict: CallResult["verdict"]) => calls.filter((call) => call.verdict === verdict).length;
  const totals = { pass: count("pass"), fail: count("fail"), skip: count("skip"), errors: errors.length };
  return { calls, errors, diagnostics: [...diagnostics.values()], totals, coverage: coverage.result() };
}

interface Prepared {
  readonly loaded: LoadedTest;
  readonly mesh: TestMesh;
  readonly names: WorkloadNames;
}

function prepare(loaded: LoadedTest): Prepared {
  const mesh = new TestMesh(loaded, knownIssuers);
  return { loaded, mesh, names: new WorkloadNames(mesh.workloads, loaded.test.namespace) };
}

function runTest(prepared: Prepared, options: RunOptions, coverage: CoverageRecord): Pick<TestRun, "calls" | "diagnostics"> {
  const { loaded, mesh } = prepared;
  const { test } = loaded;
  const calls = test.calls
    .filter((call) => isChosen(call, test.name, options.filter))
    .map((call) => runCall(call, prepared, options, coverage));
  const isWhole = options.filter === undefined;
  if (options.coverage === true || (isWhole && test.expectDiagnostics.length > 0)) mesh.translateAll();
  if (options.coverage === true) coverage.expectAll(mesh);
  const said = [...loaded.diagnostics, ...mesh.diagnostics()];
  const missing = isWhole ? test.expectDiagnostics.filter((expected) => !said.some((found) => isExpected(found, expected))) : [];
  return {
    calls: [...calls, ...missing.map((expected) => missingDiagnostic(expected, said, test.name))],
    diagnostics: said.filter((found) => !test.expectDiagnostics.some((expected) => isExpected(found, expected))),
  };
}

function isChosen(call: Call, test: string, filter: string | undefined): boolean {
  return filter === undefined || `${test} ${call.name}`.toLowerCase().includes(filter.toLowerCase());
}

function runCall(call: Call, prepared: Prepared, options: RunOptions, coverage: CoverageRecord): CallResult {
  const { loaded, mesh, names } = prepared;
  const common = { position: call.position, test: loaded.test.name, name: call.name, engine: "evaluator" } as const;
  try {
    const decision = decide(call, prepared, options.nowMs);
    if (options.coverage === true) for (const { outcome } of decision.outcomes) coverage.reach(outcome, mesh);
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
  } catch (error) {
    // Our bug in one call is no reason to keep the others from being judged.
    const reason = `the evaluator failed: ${MeshError.from(error).message}`;
    return { ...common, verdict: "fail", reason, mismatches: [], happened: reason, because: [], path: [] };
  }
}

function decide(call: Call, { mesh, names }: Prepared, nowMs: number): Decision {
  const ref = names.find(call.from.workload);
  const workload = ref && mesh.workload(ref);
  if (workload === undefined) throw new MeshError("bug", `workload ${call.from.workload} was not checked`);
  const beginnings = toRequests(call, workload, { mesh, issuers: knownIssuers, nowMs });
  if (typeof beginnings === "string")
    return { outcomes: [{ share: 1, outcome: neverSent(beginnings, `${workload.namespace}/${workload.name}`) }] };
  return {
    outcomes: beginnings.flatMap(({ share, request }) =>
      evaluate(request, mesh).outcomes.map((ended) => ({ share: share * ended.share, outcome: ended.outcome })),
    ),
  };
}

function neverSent(why: string, proxy: string): Outcome {
  return { kind: "refused", steps: [{ what: "name", proxy, origins: [], detail: why }], because: [], via: [], delayMs: 0 };
}

function isExpected({ code, resource }: Diagnostic, expected: ExpectedDiagnostic): boolean {
  return (
    code === expected.code && (expected.resource === undefined || (resource !== undefined && formatRef(resource) === expected.resource))
  );
}

/** An expectation that was not met is a failure like any other; one that was needs no line. */
function missingDiagnostic(expected: ExpectedDiagnostic, said: readonly Diagnostic[], test: string): CallResult {
  const wanted = `${expected.code}${expected.resource === undefined ? "" : ` on ${expected.resource}`}`;
  const others = said
    .filter(({ severity }) => severity !== "info")
    .map(({ code, resource }) => `${code}${resource === undefined ? "" : ` on ${formatRef(resource)}`}`);
  const happened = [...new Set(others)].join(", ") || "none";
  const mismatches = [{ field: "expectDiagnostics", expected: wanted, happened }];
  const reason = describeMismatches(mismatches);
  const name = `the mesh says ${wanted}`;
  return {
    position: expected.position,
    test,
    name,
    engine: "evaluator",
    verdict: "fail",
    reason,
    mismatches,
    happened,
    because: [],
    path: [],
  };
}
