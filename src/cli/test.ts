import {
  type Loaded,
  loadTests,
  runTests,
  type TestRun,
  exitCodeOf,
  stampOf,
  toJson,
  toJunit,
  toTap,
  type Watched,
} from "../meshtest/index.ts";
import { watchFolders } from "../source/watch-folders.ts";
import { defineCommand } from "./command.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { painter, renderDiagnostic } from "./render.ts";
import { renderCoverage, renderFileError, renderRun } from "./test-text.ts";

const FORMATS = { json: toJson, junit: toJunit, tap: toTap } as const;

export const test = defineCommand({
  name: "test",
  summary: "Run MeshTests: what the mesh does with given requests",
  arguments: [
    {
      name: "path",
      help: "files with MeshTest documents, and folders to search for them (the current one)",
      optional: true,
      variadic: true,
    },
  ],
  options: {
    filter: { type: "string", value: "TEXT", help: "only calls whose name, or whose test's name, contains it" },
    output: {
      type: "string",
      short: "o",
      value: "FORMAT",
      help: "how to print it",
      choices: ["text", "json", "junit", "tap"],
      default: "text",
    },
    coverage: { type: "boolean", help: "list the routes, rules, policies and filter chains that no call has reached" },
    coverageMin: { type: "number", value: "PERCENT", help: "fail where fewer of them are reached" },
    watch: { type: "boolean", help: "run again whenever a file changes, until Ctrl-C" },
  },
  examples: [
    "kumiko test mesh.test.yaml",
    "kumiko test tests --filter canary",
    "kumiko test . --coverage-min 80 --output junit > results.xml",
  ],
  async run({ args, options, io }) {
    const once = () => runOnce(args.length === 0 ? ["."] : args, options, io);
    const first = await once();
    return options.watch ? await runAgain(first, once, io) : first.code;
  },
});

interface Choices {
  readonly filter: string | undefined;
  readonly output: string;
  readonly coverage: boolean;
  readonly coverageMin: number | undefined;
}

interface Ended {
  readonly code: ExitCode;
  readonly watched: Watched;
}

async function runOnce(paths: readonly string[], choices: Choices, io: Io): Promise<Ended> {
  const started = performance.now();
  const loaded = await loadTests({ paths, cwd: io.cwd });
  const coverage = choices.coverage || choices.coverageMin !== undefined;
  const run = runTests(loaded.files, { nowMs: io.now(), coverage, ...(choices.filter !== undefined && { filter: choices.filter }) });
  write(run, choices, performance.now() - started, io);
  return { code: codeOf(run, loaded, choices, io), watched: loaded.watched };
}

function write(run: TestRun, { output, coverage }: Choices, elapsedMs: number, io: Io): void {
  const paint = painter(io.stderr, io.environment);
  for (const diagnostic of run.diagnostics)
    if (diagnostic.severity !== "info") io.stderr.write(renderDiagnostic(diagnostic, paint, io.cwd));
  if (output === "json" || output === "junit" || output === "tap") {
    io.stdout.write(FORMATS[output](run));
    if (coverage) io.stderr.write(renderCoverage(run.coverage, paint));
    return;
  }
  for (const error of run.errors) io.stderr.write(renderFileError(error, paint));
  const paintOut = painter(io.stdout, io.environment);
  io.stdout.write(renderRun(run, elapsedMs, paintOut));
  if (coverage) io.stdout.write(renderCoverage(run.coverage, paintOut));
}

function codeOf(run: TestRun, loaded: Loaded, { filter, coverageMin }: Choices, io: Io): ExitCode {
  if (run.calls.length === 0 && run.errors.length === 0 && loaded.files.length > 0 && filter !== undefined) {
    io.stderr.write(`no call's name contains ${JSON.stringify(filter)}\n`);
    return EXIT.usage;
  }
  const code = exitCodeOf(run);
  if (coverageMin === undefined || run.coverage.percent >= coverageMin) return code;
  io.stderr.write(`coverage is ${run.coverage.percent.toFixed(1)} %, less than ${coverageMin} %\n`);
  return code === EXIT.usage ? code : EXIT.failed;
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
