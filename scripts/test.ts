/**
 * Runs vitest with the arguments given; without any, the tests beside the source and the end-to-end ones side by side, since those mostly wait.
 * The output ends with a line for each failure (where a log is cut, its end is what is left); the counts lie where `.ci/run` reads them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultCacheDir, findEnvoy } from "../src/agent/index.ts";
import type { TestCounts } from "./failures-reporter.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(root, "node_modules/.cache/kumiko");
const counts = join(cache, "test-counts.json");

interface Run extends TestCounts {
  readonly status: number;
}

/** `isKept`: what it prints comes at its end, in one piece. */
async function runVitest(args: readonly string[], name: string, isKept: boolean): Promise<Run> {
  const file = join(cache, `test-counts-${name}.json`);
  rmSync(file, { force: true });
  const reporters = ["--reporter=default", `--reporter=${join(root, "scripts/failures-reporter.ts")}`];
  const child = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...reporters, ...args], {
    cwd: root,
    stdio: ["inherit", isKept ? "pipe" : "inherit", isKept ? "pipe" : "inherit"],
    env: { ...process.env, KUMIKO_TEST_COUNTS: file, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` },
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => output.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  process.stdout.write(Buffer.concat(output));
  return { ...readCounts(file), status: code ?? 1 };
}

/** A run that was cut off has left none. */
function readCounts(file: string): TestCounts {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as TestCounts;
  } catch {
    return { passed: 0, failures: ["vitest ended before its tests did"] };
  }
}

mkdirSync(cache, { recursive: true });
rmSync(counts, { force: true });
// Downloaded before, where it must be: no test's time is spent on it.
await findEnvoy({ explicit: process.env["KUMIKO_ENVOY"], cacheDir: defaultCacheDir(process.env), onStep: console.log });
const args = process.argv.slice(2);
const runs =
  args.length > 0
    ? [await runVitest(args, "all", false)]
    : await Promise.all([runVitest(["--project", "unit"], "unit", true), runVitest(["--project", "e2e"], "e2e", false)]);
const failures = runs.flatMap((run) => run.failures);
const passed = runs.reduce((sum, run) => sum + run.passed, 0);
writeFileSync(counts, JSON.stringify({ passed, failed: failures.length }));
for (const failure of failures) console.log(`FAILED ${failure}`);
process.exitCode = Math.max(...runs.map(({ status }) => status));
