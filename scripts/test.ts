/**
 * Runs vitest with the arguments given; without any, the tests beside the source and the end-to-end ones side by side, since those mostly wait.
 * The output ends with a line for each failure (where a log is cut, its end is what is left); the counts lie where `.ci/run` reads them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultCacheDir, findEnvoy } from "../src/agent/index.ts";
import type { TestCounts } from "./failures-reporter.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(root, "node_modules/.cache/kumiko");
const counts = join(cache, "test-counts.json");
const running = new Set<ChildProcess>();

interface Run extends TestCounts {
  readonly status: number;
}

/** `output`: a file for what it prints, which is shown when it has ended. */
async function runVitest(args: readonly string[], name: string, output?: string): Promise<Run> {
  const file = join(cache, `test-counts-${name}.json`);
  rmSync(file, { force: true });
  const reporters = ["--reporter=default", `--reporter=${join(root, "scripts/failures-reporter.ts")}`];
  const to = output === undefined ? "inherit" : openSync(output, "w");
  const child = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...reporters, ...args], {
    cwd: root,
    stdio: ["inherit", to, to],
    env: { ...process.env, KUMIKO_TEST_COUNTS: file, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` },
  });
  running.add(child);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  running.delete(child);
  if (typeof to === "number") closeSync(to);
  if (output !== undefined) process.stdout.write(readFileSync(output));
  const { passed, failures } = readCounts(file);
  // One that was cut off has left no counts, and one that doesn't say what failed has failed.
  const isSilent = failures === undefined || (code !== 0 && failures.length === 0);
  const own = isSilent ? [`the ${name} tests: vitest ended with ${code ?? signal}`] : [];
  return { passed, failures: [...(failures ?? []), ...own], status: code ?? 1 };
}

function readCounts(file: string): { readonly passed: number; readonly failures?: readonly string[] } {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as TestCounts;
  } catch {
    return { passed: 0 };
  }
}

/** Downloaded before, where it must be: no test's time is spent on it. Tests that need it say so themselves where there is none. */
async function prepareEnvoy(): Promise<void> {
  try {
    await findEnvoy({ explicit: process.env["KUMIKO_ENVOY"], cacheDir: defaultCacheDir(process.env), onStep: console.log });
  } catch (error) {
    console.log(`no Envoy: ${(error as Error).message}`);
  }
}

// A terminal's Ctrl-C reaches the children by itself; both are waited for.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => running.forEach((child) => child.kill(signal)));

mkdirSync(cache, { recursive: true });
rmSync(counts, { force: true });
await prepareEnvoy();
const args = process.argv.slice(2);
const runs =
  args.length > 0
    ? [await runVitest(args, "chosen")]
    : await Promise.all([
        runVitest(["--project", "unit"], "unit", join(cache, "test-unit.log")),
        runVitest(["--project", "e2e"], "end-to-end"),
      ]);
const failures = runs.flatMap((run) => run.failures);
const passed = runs.reduce((sum, run) => sum + run.passed, 0);
writeFileSync(counts, JSON.stringify({ passed, failed: failures.length }));
for (const failure of failures) console.log(`FAILED ${failure}`);
process.exitCode = Math.max(failures.length > 0 ? 1 : 0, ...runs.map(({ status }) => status));
