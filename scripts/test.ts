/** Runs vitest with the arguments given, and leaves its report where `.ci/run` reads the numbers. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const report = join(root, "node_modules/.cache/kumiko/test-report.json");
rmSync(report, { force: true });
mkdirSync(dirname(report), { recursive: true });

const vitest = join(root, "node_modules/vitest/vitest.mjs");
const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)];
const env = { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` };
const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: "inherit", env });
process.exitCode = status ?? 1;
