/** Builds `dist/`: the JavaScript that the npm package runs. Sources and tests stay out of it; generated modules are copied as they are. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

step("scripts/gen.ts");
rmSync(dist, { recursive: true, force: true });
step("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json");
cpSync(join(root, "src/gen"), join(dist, "gen"), { recursive: true, filter: (file) => !file.endsWith(".d.ts") });
copyAssets();
process.stderr.write(`build: ${globSync("**/*.js", { cwd: dist }).length} modules in dist\n`);

function step(script: string, ...args: readonly string[]): void {
  const { status } = spawnSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

/** What modules read beside themselves: everything in src that is neither code nor documentation. */
function copyAssets(): void {
  for (const file of globSync("**/*.{json,sh,sql,pem,yaml,css,html}", { cwd: join(root, "src"), exclude: ["gen/**", "testing/**"] })) {
    const target = join(dist, file);
    if (!existsSync(target)) cpSync(join(root, "src", file), target);
  }
}
