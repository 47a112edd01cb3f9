import type { Diagnostic } from "../model/diagnostic.ts";
import { formatRef } from "../model/resource.ts";
import type { ExpectedDiagnostic, MeshTest } from "./document.ts";
import type { EngineName } from "./engine.ts";
import { type CallResult, describeMismatches } from "./result.ts";

export function isExpected({ code, resource }: Diagnostic, expected: ExpectedDiagnostic): boolean {
  return (
    (expected.code === undefined || code === expected.code) &&
    (expected.resource === undefined || (resource !== undefined && formatRef(resource) === expected.resource))
  );
}

/** An expectation that was not met is a failure like any other; one that was needs no line. */
export function missingDiagnostics(
  { name: test, expectDiagnostics }: MeshTest,
  said: readonly Diagnostic[],
  engine: EngineName,
): readonly CallResult[] {
  const missing = expectDiagnostics.filter((expected) => !said.some((found) => isExpected(found, expected)));
  return missing.map((expected) => {
    const wanted = `${expected.code ?? "something"}${expected.resource === undefined ? "" : ` on ${expected.resource}`}`;
    const mismatches = [{ field: "expectDiagnostics", expected: wanted, happened: textOf(said) }];
    const common = { position: expected.position, test, name: `the mesh says ${wanted}`, engine, verdict: "fail" } as const;
    return { ...common, reason: describeMismatches(mismatches), mismatches, happened: textOf(said), because: [], path: [] };
  });
}

function textOf(said: readonly Diagnostic[]): string {
  const others = said
    .filter(({ severity }) => severity !== "info")
    .map(({ code, resource }) => `${code}${resource === undefined ? "" : ` on ${formatRef(resource)}`}`);
  return [...new Set(others)].join(", ") || "none";
}
