import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { readKumikoYaml } from "../../src/runtime/index.ts";
import { KUMIKO, kumiko, prepareFolder } from "./harness/mesh.ts";
import { waitFor } from "./harness/wait.ts";

const fixture = fileURLToPath(new URL("status-fixture", import.meta.url));

async function prepare(): Promise<string> {
  const { dir, remove } = await prepareFolder(fixture);
  onTestFinished(remove);
  return dir;
}

/** `kumiko up`, without waiting until all of it is ready. */
function startUp(dir: string): { readonly child: ChildProcess; readonly output: () => string } {
  const child = spawn(KUMIKO, ["up", dir], { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (printed += part.toString()));
  onTestFinished(async () => {
    if (child.exitCode !== null || !child.kill("SIGINT")) return;
    await once(child, "exit");
  });
  return { child, output: () => printed };
}

describe("workloads that crash or can't start", () => {
  test("are named by up while it starts, with the last line written; status, get and exit codes say the same", async () => {
    const dir = await prepare();
    const { output } = startUp(dir);
    await waitFor("both are named", () => /demo\/crasher-/.test(output()) && /demo\/no-config-/.test(output()), { explain: output });
    expect(output()).toMatch(
      /‼ demo\/crasher-\S+: a: exit code 1; starts again in \d+ s; it last wrote: no such table: users \(\S*kumiko logs crasher-/,
    );
    expect(output()).toMatch(/‼ demo\/no-config-\S+: network: ConfigMap .*nowhere.* \(\S*kumiko logs no-config-/);
    expect(output()).not.toContain("√ workloads");
    await waitFor("status shows all, and which are ready", async () => {
      const { code, stdout } = await kumiko(["status"], dir);
      const ready = [...stdout.matchAll(/^demo +(crasher|fine|no-config)\S* +(yes|no) /gm)].map(([, name, is]) => `${name} ${is}`);
      return code === 1 && ready.join() === "crasher no,fine yes,fine yes,no-config no";
    });
    const deployments = await kumiko(["get", "deploy", "-n", "demo"], dir);
    expect(deployments.stdout).toMatch(/^crasher +0\/1 /m);
    expect(deployments.stdout).toMatch(/^fine +2\/2 +2\s/m);
    expect(deployments.stdout).toMatch(/^no-config +0\/1 /m);
  });
});

describe("images without a command", () => {
  test("are named all at once, with what to add; up --init writes it, never over a file that is there", async () => {
    const dir = await prepare();
    const file = join(dir, "kumiko.yaml");
    writeFileSync(file, "resources: [m]\n");
    const { child, output } = startUp(dir);
    expect((await once(child, "exit"))[0]).not.toBe(0);
    for (const named of ["image crash has no command", "image idle has no command"]) expect(output()).toContain(named);
    expect(output()).toContain('images:\n  "crash":\n    command: [node, path/to/main.js]\n    portEnv: PORT\n  "idle":\n');
    expect(output()).toMatch(/next: \S*kumiko up \S+ --init /);

    const refused = await kumiko(["up", dir, "--init"], dir);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining(`${file} is there already`) });
    expect(readFileSync(file, "utf8")).toBe("resources: [m]\n");

    rmSync(file);
    expect(await kumiko(["up", dir, "--init"], dir)).toMatchObject({ code: 0, stdout: expect.stringContaining(`wrote ${file}`) });
    const { settings, diagnostics } = readKumikoYaml(readFileSync(file, "utf8"), file);
    expect(diagnostics).toEqual([]);
    expect(Object.keys(settings.images)).toEqual(["crash", "idle"]);
  });
});
