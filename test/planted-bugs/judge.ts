import { evaluate } from "../../src/evaluate/index.ts";
import { BUGS } from "./bugs.ts";
import { plant } from "./plant.ts";
import { type Recorded, TABLES } from "./tables.ts";

/** `node test/planted-bugs/judge.ts`: JSON on standard output, for `planted-bugs.test.ts` and for people. */
export interface Judgement {
  /** Requests that real Envoys answered. */
  readonly requests: number;
  /** Where the evaluator as it is says something else. */
  readonly disagreements: readonly string[];
  /** The same for its copy without a bug. */
  readonly copy: readonly string[];
  readonly bugs: readonly { readonly name: string; readonly found?: string; readonly problem?: string }[];
}

type TableRecord = { readonly title: string; readonly recorded: readonly Recorded[] };

const tables: TableRecord[] = [];
for (const { title, record } of TABLES) tables.push({ title, recorded: await record() });

const judgement: Judgement = {
  requests: tables.reduce((sum, { recorded }) => sum + recorded.length, 0),
  disagreements: all(evaluate),
  copy: await withPlanted(undefined, all),
  bugs: await judgeBugs(),
};
process.stdout.write(`${JSON.stringify(judgement, null, 2)}\n`);

async function judgeBugs(): Promise<Judgement["bugs"]> {
  const bugs: Judgement["bugs"][number][] = [];
  for (const bug of BUGS) {
    try {
      const found = await withPlanted(bug, (planted) => first(planted));
      bugs.push({ name: bug.name, ...(found !== undefined && { found }) });
    } catch (error) {
      bugs.push({ name: bug.name, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return bugs;
}

async function withPlanted<Result>(bug: Parameters<typeof plant>[0], judge: (planted: typeof evaluate) => Result): Promise<Result> {
  const planted = await plant(bug);
  try {
    return judge(planted.evaluate);
  } finally {
    planted.remove();
  }
}

function all(decide: typeof evaluate): readonly string[] {
  return tables.flatMap(({ title, recorded }) =>
    recorded.flatMap((one) => one.differences(decide).map((difference) => `${title}, ${one.title}: ${difference}`)),
  );
}

function first(decide: typeof evaluate): string | undefined {
  for (const { title, recorded } of tables) {
    for (const one of recorded) {
      const [difference] = one.differences(decide);
      if (difference !== undefined) return `${title}, ${one.title}: ${difference}`;
    }
  }
  return undefined;
}
