/** Runs vitest with the arguments given, and leaves its counts where `.ci/run` reads them. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const counts = join(root, "node_modules/.cache/kumiko/test-counts.json");
rmSync(counts, { force: true });

const vitest = join(root, "node_modules/vitest/vitest.mjs");
const args = ["run", "--reporter=default", `--reporter=${join(root, "scripts/failures-reporter.ts")}`, ...process.argv.slice(2)];
const env = { ...process.env, KUMIKO_TEST_COUNTS: counts, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` };
const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: "inherit", env });
process.exitCode = status ?? 1;
