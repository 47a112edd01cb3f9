import {
  type Loaded,
  loadTests,
  runTests,
  type TestRun,
  exitCodeOf,
  type Lab,
  mutate,
  type Mutation,
  stampOf,
  toJson,
  toJunit,
  toTap,
  type Watched,
} from "../meshtest/index.ts";
import { commandLine } from "../base/shell.ts";
import { summariseNotes } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { watchFolders } from "../source/watch-folders.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { painter, renderDiagnostic, renderError } from "./render.ts";
import { renderCoverage, renderFileError, renderMutation, renderRun } from "./test-text.ts";

const FORMATS = { json: toJson, junit: toJunit, tap: toTap } as const;

/** Runs `kumiko test` as its options say; the exit codes are those of `docs/cli.md`. */
export async function runTest(args: readonly string[], options: Options, io: Io): Promise<ExitCode> {
  const engine = engineOf(options);
  if (engine === "evaluator") return await runAll(args, { ...options, engine }, io);
  let lab: Lab;
  try {
    // Loaded only here: tests without it start in a moment.
    const { openLab } = await import("./real-lab.ts");
    lab = await openLab(io, options.envoy);
  } catch (thrown) {
    // Nothing was tested: no other code may say so.
    io.stderr.write(renderError(thrown, painter(io.stderr, io.environment), io.environment.program));
    return EXIT.usage;
  }
  try {
    return await orInterrupt(runAll(args, { ...options, engine, lab }, io), io.signal);
  } finally {
    await lab.close();
  }
}

async function runAll(args: readonly string[], choices: Choices & { readonly watch: boolean }, io: Io): Promise<ExitCode> {
  const once = () => runOnce(args.length === 0 ? ["."] : args, choices, io);
  const first = await once();
  return choices.watch ? await runAgain(first, once, io) : first.code;
}

function engineOf({ real, both, coverage, coverageMin }: Pick<Choices, "coverage" | "coverageMin"> & Flags): Choices["engine"] {
  if (real && both) throw new MeshError("usage", "--real and --both say different things", { help: "keep one of them" });
  if (real && (coverage || coverageMin !== undefined))
    throw new MeshError("usage", "--real can't say what was reached", { help: "use --both, or leave --real out" });
  return real ? "real" : both ? "both" : "evaluator";
}

interface Flags {
  readonly real: boolean;
  readonly both: boolean;
}

interface Options extends Omit<Choices, "engine" | "lab">, Flags {
  readonly watch: boolean;
  readonly envoy: string | undefined;
}

/** A person who has had enough waits for no mesh that is about to start. With `--watch` the end of it all is no interruption. */
async function orInterrupt(run: Promise<ExitCode>, signal: AbortSignal): Promise<ExitCode> {
  const { promise, resolve } = Promise.withResolvers<ExitCode>();
  const interrupt = () => setImmediate(resolve, EXIT.interrupted);
  signal.addEventListener("abort", interrupt, { once: true });
  if (signal.aborted) interrupt();
  try {
    return await Promise.race([run, promise]);
  } finally {
    signal.removeEventListener("abort", interrupt);
    // What is cut off ends as it may.
    run.catch(() => {});
  }
}

interface Choices {
  readonly engine: "evaluator" | "real" | "both";
  readonly lab?: Lab;
  readonly filter: string | undefined;
  readonly output: string;
  readonly notes: boolean;
  readonly coverage: boolean;
  readonly coverageMin: number | undefined;
  readonly mutate: boolean;
  readonly mutateMin: number | undefined;
}

interface Ended {
  readonly code: ExitCode;
  readonly watched: Watched;
}

async function runOnce(paths: readonly string[], choices: Choices, io: Io): Promise<Ended> {
  const started = performance.now();
  const loaded = await loadTests({ paths, cwd: io.cwd });
  const coverage = choices.coverage || choices.coverageMin !== undefined;
  const { engine, lab, filter } = choices;
  const run = await runTests(loaded.files, {
    nowMs: io.now(),
    engine,
    coverage,
    ...(filter !== undefined && { filter }),
    ...(lab !== undefined && { lab }),
  });
  // Calls that were cut off are no failures, and say nothing.
  if (io.signal.aborted && lab !== undefined) return { code: EXIT.interrupted, watched: loaded.watched };
  const elapsedMs = performance.now() - started;
  const mutation = await mutationOf(run, loaded, choices, io);
  const whole = mutation === undefined ? run : { ...run, mutation };
  write(whole, paths, choices, elapsedMs, io);
  return { code: codeOf(whole, loaded, choices, io), watched: loaded.watched };
}

/** Undefined where it isn't asked for, and where a call fails without any change: that would hide what the others notice. */
async function mutationOf({ totals }: TestRun, { files }: Loaded, choices: Choices, io: Io): Promise<Mutation | undefined> {
  if (!choices.mutate && choices.mutateMin === undefined) return undefined;
  if (totals.fail === 0 && totals.errors === 0)
    return await mutate(files, {
      nowMs: io.now(),
      signal: io.signal,
      ...(choices.filter !== undefined && { filter: choices.filter }),
    });
  io.stderr.write("no change was tried: the tests must pass without one first\n");
  return undefined;
}

function write(run: TestRun, paths: readonly string[], { output, coverage, notes }: Choices, elapsedMs: number, io: Io): void {
  const paint = painter(io.stderr, io.environment);
  for (const diagnostic of run.diagnostics)
    if (notes || diagnostic.severity !== "info") io.stderr.write(renderDiagnostic(diagnostic, paint, io.cwd, io.environment.program));
  const summary = notes ? "" : summariseNotes(run.diagnostics, `${io.environment.program} ${commandLine(["test", "--notes", ...paths])}`);
  if (summary !== "") io.stderr.write(`${summary}\n`);
  if (output === "json" || output === "junit" || output === "tap") {
    io.stdout.write(FORMATS[output](run));
    if (coverage) io.stderr.write(renderCoverage(run.coverage, paint));
    if (run.mutation !== undefined) io.stderr.write(renderMutation(run.mutation, paint));
    return;
  }
  for (const error of run.errors) io.stderr.write(renderFileError(error, paint));
  const paintOut = painter(io.stdout, io.environment);
  io.stdout.write(renderRun(run, elapsedMs, paintOut));
  if (coverage) io.stdout.write(renderCoverage(run.coverage, paintOut));
  if (run.mutation !== undefined) io.stdout.write(renderMutation(run.mutation, paintOut));
}

function codeOf(run: TestRun, loaded: Loaded, { filter, coverageMin, mutate: isMutated, mutateMin }: Choices, io: Io): ExitCode {
  if (run.calls.length === 0 && run.errors.length === 0 && loaded.files.length > 0 && filter !== undefined) {
    io.stderr.write(`no call's name contains ${JSON.stringify(filter)}\n`);
    return EXIT.usage;
  }
  const code = exitCodeOf(run);
  if (io.signal.aborted && (isMutated || mutateMin !== undefined) && run.mutation === undefined) return EXIT.interrupted;
  const short = [
    { what: "coverage", percent: run.coverage.percent, min: coverageMin },
    { what: "mutation", percent: run.mutation?.score, min: mutateMin },
  ].flatMap(({ what, percent, min }) =>
    percent === undefined || min === undefined || percent >= min ? [] : [`${what} is ${percent.toFixed(1)} %, less than ${min} %\n`],
  );
  for (const line of short) io.stderr.write(line);
  return code === EXIT.usage || short.length === 0 ? code : EXIT.failed;
}

const POLL_MS = 1000;
const SETTLE_MS = 50;

/** Until Ctrl-C; the code is that of the last time. */
async function runAgain(first: Ended, once: () => Promise<Ended>, io: Io): Promise<ExitCode> {
  let last = first;
  while (await hasChanged(last.watched, io.signal)) {
    io.stdout.write("\n");
    last = await once();
  }
  return last.code;
}

/** Waits for a change; false where the person has had enough. */
async function hasChanged(watched: Watched, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const compare = async () => {
    const now = await stampOf(watched);
    watcher.watch(now.folders);
    if (now.stamp !== watched.stamp) resolve(true);
  };
  const watcher = watchFolders({ pollMs: POLL_MS, settleMs: SETTLE_MS, onNotice: () => void compare().catch(reject) });
  const stop = () => resolve(false);
  signal.addEventListener("abort", stop, { once: true });
  // The poll alone doesn't keep the process, and waiting is what is asked for.
  const alive = setInterval(() => {}, 60_000);
  try {
    await compare();
    return await promise;
  } finally {
    clearInterval(alive);
    signal.removeEventListener("abort", stop);
    watcher.close();
  }
}
