import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
/** Writes each module that is loaded to standard error. */
const WATCH = `data:text/javascript,${encodeURIComponent(
  'import { registerHooks } from "node:module"; registerHooks({ load(url, context, next) { process.stderr.write(url + "\\n"); return next(url, context); } });',
)}`;

test("help loads the commands' declarations, and nothing of what they run", () => {
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", WATCH, main, "--help"], { encoding: "utf8" });
  expect(stdout).toContain("status");
  const loaded = stderr.split("\n").filter((line) => line.startsWith("file:"));
  expect(loaded.length).toBeGreaterThan(10);
  const heavy = loaded.filter(
    (url) =>
      /\/src\/(agent|ca|evaluate|gen|meshtest|runtime\/(?!run-mark)|source|translate|xds)\//.test(url) ||
      /node_modules\/(?!commander)/.test(url),
  );
  expect(heavy).toEqual([]);
});
