import { printable } from "../base/printable.ts";
import type { CallResult, Coverage, FileError, Mutation, PathStep, TestRun } from "../meshtest/index.ts";
import { formatPosition } from "../model/position.ts";
import { type Paint, type Style } from "./render.ts";

const STYLES: Readonly<Record<CallResult["verdict"], Style>> = { pass: "green", fail: "red", skip: "yellow" };

/** One line a call; a failure with what was expected, what happened and why. Then the totals. */
export function renderRun({ calls, totals }: TestRun, elapsedMs: number, paint: Paint): string {
  const several = new Set(calls.map(({ position, test }) => `${position.file} ${test}`)).size > 1;
  const lines: string[] = [];
  let heading = "";
  for (const call of calls) {
    const own = `${call.position.file} ${call.test}`;
    if (several && own !== heading) lines.push(paint(printable(own), "dim"));
    heading = own;
    lines.push(...renderCall(call, paint));
  }
  const counts = [
    `${totals.pass} passed`,
    ...(totals.fail > 0 ? [paint(`${totals.fail} failed`, "red")] : []),
    ...(totals.skip > 0 ? [paint(`${totals.skip} skipped`, "yellow")] : []),
    ...(totals.errors > 0 ? [paint(`${totals.errors} ${totals.errors === 1 ? "error" : "errors"}`, "red")] : []),
    ...((totals.alone ?? 0) > 0 ? [paint(`${totals.alone} judged by one engine alone`, "yellow")] : []),
  ];
  lines.push(`${counts.join(", ")} (${Math.ceil(elapsedMs)} ms)`);
  return `${lines.join("\n")}\n`;
}

function renderCall(call: CallResult, paint: Paint): readonly string[] {
  const { verdict, name, reason } = call;
  const head = `${paint(verdict.toUpperCase(), STYLES[verdict])} ${printable(name)}`;
  if (verdict === "pass") return [head];
  if (verdict === "skip") return [`${head}: ${printable(reason)}`];
  return [`${head}  ${paint(formatPosition(call.position), "dim")}`, ...renderFailure(call, paint)];
}

function renderFailure({ mismatches, reason, happened, because, path }: CallResult, paint: Paint): readonly string[] {
  if (mismatches.length === 0) return [`  ${printable(reason)}`];
  const lines = mismatches.map(
    (mismatch) =>
      `  expected ${printable(mismatch.field)} ${paint(printable(mismatch.expected), "green")}, got ${paint(printable(mismatch.happened), "red")}`,
  );
  if (happened !== "") lines.push(`  happened ${printable(happened)}`);
  for (const { resource, at } of because) lines.push(`  because  ${printable(resource)}${at === undefined ? "" : `  ${printable(at)}`}`);
  if (path.length > 0) lines.push(`  ${paint("the way that it took:", "dim")}`, ...path.map((step) => renderStep(step, paint)));
  return lines;
}

function renderStep({ proxy, what, detail, generated, resource, at }: PathStep, paint: Paint): string {
  const from = [resource, at].filter((part) => part !== undefined).join(" ");
  const source = from === "" ? "" : `  ${paint(printable(from), "cyan")}`;
  return `    ${paint(printable(proxy), "dim")} ${what}${generated === undefined ? "" : ` ${printable(generated)}`}: ${printable(detail)}${source}`;
}

export function renderFileError(error: FileError, paint: Paint): string {
  const help = error.help === undefined ? "" : `\n  help: ${printable(error.help)}`;
  return `${printable(formatPosition(error))}:${error.column}: ${paint("error", "red")}: ${printable(error.message)}${help}\n`;
}

/** What no call has reached, and the share of what was. */
export function renderCoverage({ items, percent }: Coverage, paint: Paint): string {
  const missed = items.filter(({ isReached }) => !isReached);
  const lines = missed.map(
    ({ kind, what, position }) => `${paint("not reached", "yellow")} ${printable(formatPosition(position))} ${kind} ${printable(what)}`,
  );
  lines.push(
    `coverage ${percent.toFixed(1)} %: ${items.length - missed.length} of ${items.length} routes, rules and filter chains reached`,
  );
  return `${lines.join("\n")}\n`;
}

/** The changes that no call noticed, and the share of those that one did. */
export function renderMutation({ survivors, killed, equivalent, undecided, score }: Mutation, paint: Paint): string {
  const lines = survivors.map(
    ({ position, resource, change }) =>
      `${paint("SURVIVED", "yellow")} ${printable(formatPosition(position))}: ${printable(resource)}: ${printable(change)}: no call noticed`,
  );
  const others = [
    ...(equivalent > 0 ? [`${equivalent} more change nothing that a proxy is sent`] : []),
    ...(undecided > 0 ? [`of ${undecided} the evaluator can't say`] : []),
  ];
  lines.push([`mutation ${score.toFixed(1)} %: ${killed} of ${killed + survivors.length} changes noticed`, ...others].join("; "));
  return `${lines.join("\n")}\n`;
}
