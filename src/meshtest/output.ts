import { formatPosition } from "../model/position.ts";
import type { Mutation } from "./mutate/mutate.ts";
import type { TestRun } from "./result.ts";

/** The machine-readable forms; each is all of standard output. */
export function toJson({ calls, errors, totals, mutation }: TestRun): string {
  const shown = {
    calls: calls.map(({ position, test, name, engine, verdict, reason, path }) => ({
      file: position.file,
      line: position.line,
      test,
      name,
      engine,
      verdict,
      reason,
      path,
    })),
    errors: errors.map(({ file, line, column, message, help }) => ({ file, line, column, message: withHelp(message, help) })),
    totals,
    ...(mutation !== undefined && { mutation: toPlain(mutation) }),
  };
  return `${JSON.stringify(shown, null, 2)}\n`;
}

function toPlain({ survivors, ...counts }: Mutation): object {
  return {
    ...counts,
    survived: survivors.length,
    survivors: survivors.map(({ position: { file, line, column }, resource, change }) => ({ file, line, column, resource, change })),
  };
}

/** JUnit's XML as CI systems read it: a suite for each test. */
export function toJunit({ calls, errors, totals }: TestRun): string {
  const suites = new Map<string, string[]>();
  const suite = (name: string) => {
    const known = suites.get(name) ?? [];
    suites.set(name, known);
    return known;
  };
  for (const { position, test, name, verdict, reason } of calls) {
    const head = `<testcase classname=${xml(test)} name=${xml(name)} file=${xml(position.file)} line="${position.line}"`;
    const inner = verdict === "fail" ? `<failure message=${xml(reason)}/>` : `<skipped message=${xml(reason)}/>`;
    suite(`${position.file} ${test}`).push(verdict === "pass" ? `${head}/>` : `${head}>${inner}</testcase>`);
  }
  for (const error of errors) {
    const where = formatPosition(error);
    suite(error.file).push(
      `<testcase classname=${xml(error.file)} name=${xml(where)} file=${xml(error.file)} line="${error.line}"><error message=${xml(withHelp(error.message, error.help))}/></testcase>`,
    );
  }
  const lines = [...suites].map(([name, cases]) => {
    const count = (tag: string) => cases.filter((text) => text.includes(`><${tag} `)).length;
    const counts = `tests="${cases.length}" failures="${count("failure")}" errors="${count("error")}" skipped="${count("skipped")}"`;
    return `  <testsuite name=${xml(name)} ${counts}>\n${cases.map((text) => `    ${text}\n`).join("")}  </testsuite>\n`;
  });
  const all = calls.length + errors.length;
  const counts = `tests="${all}" failures="${totals.fail}" errors="${totals.errors}" skipped="${totals.skip}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="kumiko test" ${counts}>\n${lines.join("")}</testsuites>\n`;
}

/** TAP version 14. */
export function toTap({ calls, errors }: TestRun): string {
  const lines = ["TAP version 14", `1..${calls.length + errors.length}`];
  let number = 0;
  for (const { position, test, name, verdict, reason } of calls) {
    number++;
    const title = tap(`${test}: ${name}`);
    if (verdict === "skip") lines.push(`ok ${number} - ${title} # SKIP ${tap(reason)}`);
    else lines.push(`${verdict === "pass" ? "ok" : "not ok"} ${number} - ${title}`);
    if (verdict === "fail")
      lines.push("  ---", `  message: ${JSON.stringify(reason)}`, `  at: ${JSON.stringify(formatPosition(position))}`, "  ...");
  }
  for (const error of errors) {
    number++;
    lines.push(
      `not ok ${number} - ${tap(formatPosition(error))}`,
      "  ---",
      `  message: ${JSON.stringify(withHelp(error.message, error.help))}`,
      "  ...",
    );
  }
  return `${lines.join("\n")}\n`;
}

function withHelp(message: string, help: string | undefined): string {
  return help === undefined ? message : `${message} (${help})`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;" };

/** An attribute's value with its quotes; what XML 1.0 has no character for is shown as �. */
function xml(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what must go
  const allowed = text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000d\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
  return `"${allowed.replaceAll(/[&<>"\n\t]/g, (character) => ENTITIES[character] ?? character)}"`;
}

/** One line; `#` begins a directive. */
function tap(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("#", "\\#").replaceAll(/\s+/g, " ");
}
