import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { BUGS } from "./bugs.ts";
import type { Judgement } from "./judge.ts";
import { plant } from "./plant.ts";

/** In a process of its own: changed copies of the evaluator are modules as Node loads them, not as vitest does. */
async function judge(): Promise<Judgement> {
  const program = fileURLToPath(new URL("judge.ts", import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("exit", resolve));
  const output = await text(child.stdout);
  const code = await ended;
  if (code !== 0) throw new Error(`judge.ts ended with ${code}`);
  return JSON.parse(output) as Judgement;
}

describe("a mistake in the evaluator is found by what real Envoys answered", () => {
  let judgement: Judgement;
  beforeAll(async () => {
    judgement = await judge();
  }, 180_000);

  test("as it is, the evaluator agrees with them; so does a copy of it", () => {
    expect(judgement.disagreements).toEqual([]);
    expect(judgement.copy).toEqual([]);
    expect(judgement.requests).toBeGreaterThan(600);
  });

  test.each(BUGS.map(({ name }) => name))("%s", (name) => {
    const bug = judgement.bugs.find((judged) => judged.name === name);
    expect(bug?.problem).toBeUndefined();
    expect(bug?.found, "no request tells it from the evaluator as it is: add one to a table").toBeDefined();
  });
});

test("there are enough of them, each with a name of its own", () => {
  expect(BUGS.length).toBeGreaterThanOrEqual(20);
  expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length);
});

test.each([
  { from: "no such text", problem: "its text is not in src/evaluate" },
  { from: "return", problem: /its text is \d+ times in src\/evaluate/ },
])("a bug whose text isn't there once is refused: $from", async ({ from, problem }) => {
  await expect(plant({ name: "b", from, to: "" })).rejects.toThrow(problem);
});
