import type { Checked } from "./check.ts";
import type { LoadResult } from "./load.ts";

/** What a person reads after a run. */
export function toTable(result: LoadResult): string {
  const head = ["flow", "requests", "failed", "p50 ms", "p95 ms", "p99 ms", "max ms"];
  const rows = result.flows.map(({ flow, requests, failed, p50, p95, p99, max }) => [
    flow,
    String(requests),
    String(failed),
    ...[p50, p95, p99, max].map((ms) => ms.toFixed(1)),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = [head, ...rows.toSorted(([a = ""], [b = ""]) => a.localeCompare(b))].map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  const failures = result.failures.map(({ flow, what, count }) => `  ${count} x ${flow}: ${what}`);
  return [...lines, "", summaryOf(result), ...failures].join("\n");
}

function summaryOf({ flows, elapsedMs, ownCpuShare, lateMs, reconnects }: LoadResult): string {
  const requests = flows.reduce((sum, flow) => sum + (flow.flow === "message heard" ? 0 : flow.requests), 0);
  const failed = flows.reduce((sum, flow) => sum + flow.failed, 0);
  const seconds = elapsedMs / 1000;
  return [
    `${requests} requests in ${seconds.toFixed(1)} s (${(requests / seconds).toFixed(0)}/s), ${failed} failed, ${reconnects} WebSockets broke.`,
    `The generator took ${(ownCpuShare * 100).toFixed(0)} % of a core and began steps ${lateMs.toFixed(0)} ms late (p99).`,
  ].join("\n");
}

export function checkedLines({ messages, uploads, signUps, events, wrong }: Checked): string {
  const counts = `${messages} messages, ${uploads} uploads, ${signUps} sign-ups, ${events} events`;
  if (wrong.length === 0) return `All that was acknowledged is there, once: ${counts}.`;
  return [`Of ${counts}, ${wrong.length} are not as they must be:`, ...wrong.slice(0, 20).map((line) => `  ${line}`)].join("\n");
}
