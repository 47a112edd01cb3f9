/** Compares the evaluator with real Envoys on generated meshes: `node test/fuzz/main.ts --seconds 60 --seed N`. Exit code 1 where they disagree. */
import { mkdir, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Decision } from "../../src/evaluate/index.ts";
import { MeshError } from "../../src/model/error.ts";
import type { Difference } from "./compare.ts";
import { toFoundFile } from "./found-file.ts";
import { FuzzLab } from "./fuzz-lab.ts";
import { type Disagreement, type RunResult, runFuzz } from "./run.ts";
import { shrink } from "./shrink.ts";
import { startLab } from "./start-lab.ts";

const SHRINK_MS = 60_000;
const FOUND = fileURLToPath(new URL("found/", import.meta.url));

const say = (text: string) => process.stdout.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    pairs: { type: "string", default: "0" },
    stop: { type: "boolean", default: false },
  },
});
const [seconds, seed, pairs] = [values.seconds, values.seed, values.pairs].map(Number) as [number, number, number];
if (![seconds, seed, pairs].every((number) => Number.isSafeInteger(number) && number >= 0)) {
  process.stderr.write("--seconds, --seed and --pairs are whole numbers\n");
  process.exit(2);
}

try {
  process.exitCode = await main();
} catch (thrown) {
  const { message, help } = MeshError.from(thrown);
  process.stderr.write(`fuzz: ${message}\n${help === undefined ? "" : `  ${help}\n`}`);
  process.exitCode = 2;
}

async function main(): Promise<0 | 1> {
  say(`seed ${seed}`);
  const lab = await startLab(process.env);
  try {
    const fuzz = await FuzzLab.open(lab);
    const startMs = performance.now();
    let isOver = false;
    const result = await runFuzz(fuzz, {
      seed,
      goesOn: (judged) => !isOver && (pairs > 0 ? judged < pairs : performance.now() < startMs + seconds * 1000),
      onDisagreement: (found) => {
        isOver ||= values.stop;
        say(describe(found));
      },
    });
    sayResult(result, (performance.now() - startMs) / 1000);
    const [first] = result.disagreements;
    if (first === undefined) return 0;
    await writeFound(first, fuzz);
    return 1;
  } finally {
    await lab.close();
  }
}

function sayResult({ meshes, pairs: judged, skips, histogram, disagreements, unsteady }: RunResult, tookSeconds: number): void {
  say(`\n${judged} pairs on ${meshes} meshes in ${tookSeconds.toFixed(1)} s, ${(judged / tookSeconds).toFixed(1)} a second\n${histogram}`);
  for (const [reason, count] of skips) say(`skipped ${count}: ${reason}`);
  for (const found of unsteady) say(`only the first time, ${describe(found)}`);
  say(`${disagreements.length} disagreements; ${unsteady.length} calls agreed only when they were made again`);
}

function describe({ seed: meshSeed, call, found, differences }: Disagreement): string {
  const what = call === undefined ? "the mesh" : `call ${call}: ${JSON.stringify(found.calls[0])}`;
  return shortened(`disagreement: --seed ${meshSeed}, ${what}\n${differences.map(describeDifference).join("\n")}`);
}

/** Large headers and bodies are a few characters many times. */
function shortened(text: string): string {
  return text.replaceAll(/(.{1,16}?)\1{31,}/g, (run, unit: string) => `${unit}… (${run.length})`);
}

function describeDifference({ field, evaluator, real }: Difference): string {
  return `  ${field}: evaluator ${JSON.stringify(evaluator)}, real ${JSON.stringify(real)}`;
}

/** Makes the first disagreement small and writes it down. */
async function writeFound({ found, seed: meshSeed, call, differences }: Disagreement, fuzz: FuzzLab): Promise<void> {
  const fields = new Set(differences.map(({ field }) => field));
  let real: Decision | undefined;
  const smallest = await shrink(
    found,
    async (smaller) => {
      const again = await fuzz.tryCase(smaller).catch(() => undefined);
      const shows = again?.kind === "differs" && again.differences.some(({ field }) => fields.has(field));
      if (shows) real = again.real;
      return shows;
    },
    performance.now() + SHRINK_MS,
  );
  if (smallest === found) say("alone in its mesh, the call shows it no more: what came before it matters");
  await mkdir(FOUND, { recursive: true });
  const name = `found-${meshSeed}-${call ?? "mesh"}`;
  const path = `${FOUND}${name}.yaml`;
  await writeFile(path, toFoundFile(smallest, name, real));
  say(`made small: ./kumiko test --both ${relative(process.cwd(), path)}`);
}
