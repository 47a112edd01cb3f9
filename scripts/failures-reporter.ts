import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** What a run of tests comes to; each failure is one line. */
export interface TestCounts {
  readonly passed: number;
  readonly failures: readonly string[];
}

const LONGEST = 400;

/** Writes what came of the tests, as JSON, to the file that KUMIKO_TEST_COUNTS names. */
export default class FailuresReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const counts: TestCounts = {
      passed: modules.flatMap((module) => [...module.children.allTests("passed")]).length,
      failures: [...modules.flatMap(failuresOf), ...unhandled.map((error) => lineOf("outside of a test", error))],
    };
    writeFileSync(process.env["KUMIKO_TEST_COUNTS"] ?? "/dev/null", JSON.stringify(counts));
  }
}

/** Tests, and what can fail around them: a file that doesn't load, a hook of a file or of a suite. */
function failuresOf(module: TestModule): readonly string[] {
  const file = relative(process.cwd(), module.moduleId);
  return [
    ...module.errors().map((error) => lineOf(file, error)),
    ...[...module.children.allSuites()].flatMap((suite) => suite.errors().map((error) => lineOf(`${file} > ${suite.fullName}`, error))),
    ...[...module.children.allTests("failed")].map((test) => lineOf(`${file} > ${test.fullName}`, test.result().errors?.[0])),
  ];
}

/** A worker that was killed is named by the cause alone. */
function lineOf(where: string, error: { readonly message: string; readonly cause?: unknown } | undefined): string {
  const { message: cause } = (error?.cause ?? {}) as { readonly message?: unknown };
  const message = [error?.message ?? "no message", ...(typeof cause === "string" ? [cause] : [])].join(": ");
  const text = stripVTControlCharacters(`${where}: ${message}`).replace(/\s+/g, " ");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
