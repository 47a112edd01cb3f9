import type { evaluate } from "../../src/evaluate/index.ts";
import { type AgreementWorld, type Case, differences, startAgreement } from "../../src/testing/agreement.ts";
import { ROUTE_CASES, ROUTE_MESHES } from "../../src/testing/agreement-routes.ts";
import { TOKEN_CASES, TOKENS } from "../../src/testing/agreement-token-cases.ts";
import { EDGE_CASES, EDGES } from "./edge-table.ts";
import { startWireTable, WIRE_CASES } from "./wire-table.ts";

/** What a real Envoy did with one request. */
export interface Recorded {
  readonly title: string;
  /** Where an evaluator says something else, in words. */
  differences(decide: typeof evaluate): readonly string[];
}

export interface Table {
  readonly title: string;
  /** Starts real Envoys, sends every request once, and ends them. */
  record(): Promise<readonly Recorded[]>;
}

export const TABLES: readonly Table[] = [
  ...ROUTE_MESHES.map(({ title, mesh, settings }) => ({
    title,
    record: () =>
      recordCases(
        () => startAgreement(mesh, settings),
        ROUTE_CASES.map((given) => [titleOf(given), given]),
      ),
  })),
  { title: "tokens", record: () => recordCases(() => startAgreement(TOKENS, { profile: "istio" }), TOKEN_CASES) },
  {
    title: "edges",
    record: () =>
      recordCases(
        () => startAgreement(EDGES, { profile: "istio" }),
        EDGE_CASES.map((given) => [titleOf(given), given]),
      ),
  },
  { title: "wire", record: recordWire },
];

async function recordWire(): Promise<readonly Recorded[]> {
  const world = await startWireTable();
  try {
    const recorded: Recorded[] = [];
    for (const [title, given] of WIRE_CASES) recorded.push({ title, differences: await world.record(given) });
    return recorded;
  } finally {
    await world.close();
  }
}

async function recordCases(
  start: () => Promise<AgreementWorld>,
  cases: readonly (readonly [string, Case])[],
): Promise<readonly Recorded[]> {
  const world = await start();
  try {
    const recorded: Recorded[] = [];
    for (const [title, given] of cases) {
      const verdicts = await world.record(given);
      recorded.push({ title, differences: (decide) => differences(verdicts(decide)) });
    }
    return recorded;
  } finally {
    await world.close();
  }
}

function titleOf({ by, method = "GET", host = "", path = "", headers = [] }: Case): string {
  return [by, method, host, path, ...(headers.length > 0 ? [JSON.stringify(headers)] : [])].join(" ");
}
