import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

const LONGEST = 400;

/** Writes `{passed, failed}` to KUMIKO_TEST_COUNTS, and ends the output with a line for each failure: where a log is cut, its end is what is left. */
export default class FailuresReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const failures = [...modules.flatMap(failuresOf), ...unhandled.map((error) => lineOf("outside of a test", error))];
    const passed = modules.flatMap((module) => [...module.children.allTests("passed")]).length;
    const file = process.env["KUMIKO_TEST_COUNTS"];
    if (file !== undefined) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify({ passed, failed: failures.length }));
    }
    for (const failure of failures) console.log(`FAILED ${failure}`);
  }
}

/** Tests, and what can fail around them: a file that doesn't load, a hook of a file or of a suite. */
function failuresOf(module: TestModule): readonly string[] {
  const file = relative(process.cwd(), module.moduleId);
  const failed = [...module.children.allTests("failed")];
  return [
    ...module.errors().map((error) => lineOf(file, error)),
    ...[...module.children.allSuites()].flatMap((suite) => suite.errors().map((error) => lineOf(`${file} > ${suite.fullName}`, error))),
    ...failed.map((test) => lineOf(`${file} > ${test.fullName}`, test.result().errors?.[0])),
  ];
}

function lineOf(where: string, error: { readonly message: string } | undefined): string {
  const text = `${where}: ${error?.message ?? "no message"}`.replace(/\s+/g, " ");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
