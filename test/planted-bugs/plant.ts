import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Evaluator from "../../src/evaluate/index.ts";
import type { PlantedBug } from "./bugs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface PlantedEvaluator {
  readonly evaluate: typeof Evaluator.evaluate;
  remove(): void;
}

/**
 * A second evaluator in this process, with a bug in it; without one it is a plain copy. All that it imports from elsewhere is the tree's own.
 * Throws where the text to change isn't there, or not once.
 */
export async function plant(bug?: PlantedBug): Promise<PlantedEvaluator> {
  // Not below node_modules: types are not stripped there.
  const folder = mkdtempSync(join(tmpdir(), "kumiko-planted-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const evaluator = copyInto(folder);
    if (bug !== undefined) change(evaluator, bug);
    const { evaluate } = (await import(pathToFileURL(join(evaluator, "index.ts")).href)) as typeof Evaluator;
    return { evaluate, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function copyInto(folder: string): string {
  writeFileSync(join(folder, "package.json"), '{"type": "module"}\n');
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, "src"));
  for (const { name } of readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory()))
    if (name !== "evaluate") symlinkSync(join(root, "src", name), join(folder, "src", name));
  const evaluator = join(folder, "src/evaluate");
  cpSync(join(root, "src/evaluate"), evaluator, { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
  return evaluator;
}

function change(folder: string, { name, from, to }: PlantedBug): void {
  const files = readdirSync(folder).map((file) => ({ path: join(folder, file), text: readFileSync(join(folder, file), "utf8") }));
  const times = files.reduce((sum, { text }) => sum + text.split(from).length - 1, 0);
  const holding = files.find(({ text }) => text.includes(from));
  if (times !== 1 || holding === undefined)
    throw new Error(
      `bug "${name}": its text is ${times === 0 ? "not" : `${times} times`} in src/evaluate; write it anew in bugs.ts: ${from}`,
    );
  writeFileSync(
    holding.path,
    holding.text.replace(from, () => to),
  );
}
