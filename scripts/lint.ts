/** Everything that looks at the code without running it, side by side; shows all that fails. `--fix` lets the tools repair what they can. */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const fix = process.argv.includes("--fix");

interface Check {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** The slowest first, so that they overlap with the rest. */
const CHECKS: readonly Check[] = [
  { name: "types", program: "tsc", args: ["-p", "tsconfig.json"] },
  { name: "types of the core", program: "tsc", args: ["-p", "tsconfig.core.json"] },
  { name: "types of the platform", program: "tsc", args: ["-p", "platform/tsconfig.json"] },
  { name: "types of the platform's page", program: "tsc", args: ["-p", "platform/src/web/src/page/tsconfig.json"] },
  {
    name: "import rules",
    program: "depcruise",
    args: ["--config", ".dependency-cruiser.mjs", "--output-type", "err-long", "src", "console", "platform"],
  },
  { name: "linter", program: "oxlint", args: [...(fix ? ["--fix"] : []), "--quiet"] },
  { name: "format", program: "biome", args: ["format", ...(fix ? ["--write"] : [])] },
];

const failed: string[] = [];
const waiting = [...CHECKS];
await Promise.all(Array.from({ length: Math.min(availableParallelism(), CHECKS.length) }, work));
process.stdout.write(failed.length === 0 ? "lint: all passed\n" : `lint: failed: ${failed.join(", ")}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function work(): Promise<void> {
  for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
    const started = performance.now();
    const { status, output } = await run(check);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (status === 0) process.stdout.write(`ok    ${check.name} (${seconds} s)\n`);
    else process.stdout.write(`FAIL  ${check.name} (${seconds} s)\n${output.trimEnd()}\n`);
    if (status !== 0) failed.push(check.name);
  }
}

function run({ program, args }: Check): Promise<{ readonly status: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(join(root, "node_modules/.bin", program), args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: environment(),
    });
    const output: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => output.push(part));
    child.stderr.on("data", (part: Buffer) => output.push(part));
    child.on("error", (error) => resolve({ status: null, output: error.message }));
    child.on("close", (status) => resolve({ status, output: Buffer.concat(output).toString() }));
  });
}

/** The tools start by `env node`: that must be our Node, not the system's. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` };
}
