import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { http } from "./harness/http.ts";
import { kumiko, type PreparedFolder, prepareFolder, type RunningMesh, startIn } from "./harness/mesh.ts";
import { type Footprint, findProcesses, footprintOf, remains } from "./harness/traces.ts";
import { waitFor } from "./harness/wait.ts";

const sample = fileURLToPath(new URL("../../samples/hello", import.meta.url));

async function prepare(): Promise<PreparedFolder> {
  const folder = await prepareFolder(sample);
  onTestFinished(() => folder.remove());
  return folder;
}

async function start(folder: PreparedFolder, options: { until?: string; leadsGroup?: boolean } = {}): Promise<RunningMesh> {
  const mesh = await startIn(folder.dir, { ...folder, ...options });
  onTestFinished(() => mesh.stop());
  return mesh;
}

const greeting = (mesh: Pick<RunningMesh, "ports">) => http("http://hello.test/?name=Hanako", { port: mesh.ports[0] ?? 0 });

/** Nothing is left at once: no patience, the command has said that it is done. */
async function expectNothingLeft(footprint: Footprint, runDir: string, dir: string): Promise<void> {
  expect(await remains(footprint)).toEqual([]);
  expect(existsSync(runDir), runDir).toBe(false);
  expect(existsSync(join(dir, ".kumiko/run.json"))).toBe(false);
}

describe("a mesh that runs", () => {
  test("Ctrl-C stops everything: no process, namespace, mount, socket or port is left", async () => {
    const mesh = await start(await prepare());
    expect((await greeting(mesh)).status).toBe(200);
    const footprint = mesh.footprint();
    expect(footprint.processes.length).toBeGreaterThan(8);
    expect(footprint.namespaces.size).toBeGreaterThan(6);
    expect(await remains(footprint)).not.toEqual([]);
    expect(await mesh.interrupt()).toBe(0);
    await expectNothingLeft(footprint, mesh.runDir, mesh.dir);
  });

  test("a second up of the same folder is refused; down from elsewhere stops the first, and nothing is left", async () => {
    const mesh = await start(await prepare());
    const second = await kumiko(["up", mesh.dir], tmpdir());
    expect(second).toMatchObject({ code: 2, stdout: "" });
    expect(second.stderr).toMatch(/error: this mesh is already running \(process \d+\)\n {2}next: .*kumiko/);
    expect((await greeting(mesh)).status).toBe(200);
    const footprint = mesh.footprint();
    const down = await kumiko(["down", mesh.dir], tmpdir());
    expect(down).toEqual({ code: 0, stdout: `stopped the mesh of ${mesh.dir}\n`, stderr: "" });
    expect(await mesh.ended).toBe(0);
    await expectNothingLeft(footprint, mesh.runDir, mesh.dir);
    expect(await kumiko(["down", mesh.dir], tmpdir())).toEqual({ code: 0, stdout: `no mesh runs in ${mesh.dir}\n`, stderr: "" });
  });
});

describe("a mesh that is stopped", () => {
  test("during its start says so, reports no state that it didn't reach, and leaves nothing", async () => {
    const folder = await prepare();
    edit(folder, "kumiko.yaml", (text) => text.replace("[node, app/greeter.mjs]", '[sh, -c, "sleep 1000"]'));
    const mesh = await start(folder, { until: "√ machine" });
    const footprint = mesh.footprint();
    expect(await mesh.interrupt()).toBe(0);
    expect(mesh.output()).toMatch(/– workloads +\d+\.\d s +interrupted\n\nstopping…\n(.*\n)*stopped\n$/);
    expect(mesh.output()).not.toContain("√ workloads");
    await expectNothingLeft(footprint, mesh.runDir, mesh.dir);
  });

  test("with its whole process group starts nothing again", async () => {
    const mesh = await start(await prepare(), { leadsGroup: true });
    const footprint = mesh.footprint();
    process.kill(-mesh.pid, "SIGTERM");
    expect(await mesh.ended).toBe(0);
    expect(mesh.output()).not.toContain("starts again");
    expect(mesh.output().slice(mesh.output().indexOf("stopping"))).not.toContain("‼");
    await expectNothingLeft(footprint, mesh.runDir, mesh.dir);
  });

  test("says which workload doesn't end; a second Ctrl-C ends it at once, and leaves nothing", async () => {
    const folder = await prepare();
    const deaf = `[sh, -c, "trap '' TERM; node app/greeter.mjs & while :; do wait; sleep 0.1; done"]`;
    edit(folder, "kumiko.yaml", (text) => text.replace("[node, app/greeter.mjs]", deaf));
    edit(folder, "manifests/greeter.yaml", (text) =>
      text.replaceAll("    spec:\n", "    spec:\n      terminationGracePeriodSeconds: 3600\n"),
    );
    const mesh = await start(folder);
    const footprint = mesh.footprint();
    const ended = mesh.interrupt();
    await waitFor("it says what it waits for", () => /waits for hello\/greeter-\S+: its application to end/.test(mesh.output()), {
      explain: () => mesh.output(),
    });
    expect(mesh.output()).toContain("Ctrl-C again ends it at once");
    process.kill(mesh.pid, "SIGINT");
    expect(await ended).toBe(0);
    await expectNothingLeft(footprint, mesh.runDir, mesh.dir);
  });
});

describe("a fault", () => {
  test("is one line when it appears, and one when it is mended", async () => {
    const folder = await prepare();
    const mesh = await start(folder);
    const before = readFileSync(join(folder.dir, "manifests/greeter.yaml"), "utf8");
    edit(folder, "manifests/greeter.yaml", (text) => `${text}\n---\nkind: [torn\n`);
    await waitFor("it is told", () => /‼ .*greeter\.yaml/.test(mesh.output()), { explain: () => mesh.output() });
    edit(folder, "manifests/greeter.yaml", () => before);
    await waitFor("it is said to be mended", () => mesh.output().includes("mended: "), { explain: () => mesh.output() });
    const said = mesh.output().slice(mesh.output().indexOf("Ctrl-C stops"));
    expect(said.match(/‼ .*greeter\.yaml:\d+/g)).toHaveLength(1);
    expect(said.match(/mended: .*greeter\.yaml:\d+/g)).toHaveLength(1);
  });
});

describe("after a kill -9", () => {
  test("of up: the rest ends by itself, down from elsewhere says so and cleans", async () => {
    const mesh = await start(await prepare());
    const footprint = mesh.footprint();
    await mesh.kill();
    const down = await kumiko(["down", mesh.dir], tmpdir());
    expect(down.code).toBe(0);
    expect(down.stdout).toBe(`the mesh of ${mesh.dir} had been killed; what it left is cleared away\n`);
    await expectNothingLeft(footprint, mesh.runDir, mesh.dir);
  });

  test("of up: up starts again at once, with what was applied and without the Pods of before", async () => {
    const folder = await prepare();
    const first = await start(folder);
    const file = join(folder.dir, "..", "applied.yaml");
    writeFileSync(
      file,
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: kept, namespace: hello }\nspec: { host: greeter }\n",
    );
    expect(await kumiko(["apply", "-f", file], folder.dir)).toMatchObject({ code: 0 });
    const podsBefore = await podNames(folder.dir);
    const footprint = first.footprint();
    await first.kill();
    edit(folder, "manifests/greeter.yaml", (text) => text.replace("version: v1", "version: v2"));
    const second = await start(folder);
    // Not the namespaces: the kernel gives their numbers out again.
    expect(await remains({ ...footprint, namespaces: new Set(), folders: [], ports: [] })).toEqual([]);
    expect((await greeting(second)).status).toBe(200);
    expect((await kumiko(["get", "destinationrules", "-n", "hello", "-o", "name"], folder.dir)).stdout).toContain("kept");
    const podsAfter = await podNames(folder.dir);
    expect(podsAfter).toHaveLength(podsBefore.length);
    expect(podsAfter.filter((name) => !podsBefore.includes(name))).toEqual([expect.stringContaining("greeter")]);
    const { proxies } = JSON.parse((await kumiko(["status", "-o", "json"], folder.dir)).stdout) as { proxies: { ready: boolean }[] };
    expect(proxies.map(({ ready }) => ready)).toEqual([true, true, true]);
  });

  test("of the machine: up says so, stops the rest and fails; nothing is left", async () => {
    const mesh = await start(await prepare());
    const footprint = mesh.footprint();
    const [unshare = 0] = findProcesses(mesh.pid, "--map-root-user");
    process.kill(unshare, "SIGKILL");
    expect(await mesh.ended).toBe(1);
    expect(mesh.output()).toMatch(/error: the machine ended: SIGKILL\n {2}next: .*kumiko/);
    await expectNothingLeft(footprint, mesh.runDir, mesh.dir);
  });

  test("of the control plane and up together: down cleans", async () => {
    const mesh = await start(await prepare());
    const footprint = mesh.footprint();
    const [controlPlane = 0] = findProcesses(mesh.pid, "serve.json");
    process.kill(controlPlane, "SIGKILL");
    await mesh.kill();
    expect((await kumiko(["down"], mesh.dir)).code).toBe(0);
    await expectNothingLeft(footprint, mesh.runDir, mesh.dir);
  });
});

describe("an empty folder", () => {
  test("gets the sample, which answers 200 through its gateway", async () => {
    const dir = mkdtempSync(join(tmpdir(), "kumiko-e2e-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const mesh = await startIn(dir, { ports: [], remove: () => {} });
    onTestFinished(() => mesh.stop());
    expect(mesh.output()).toContain("a sample of two services was copied");
    const [, port = ""] = /reached at 127\.0\.0\.1:(\d+)/.exec(mesh.output()) ?? [];
    const answer = await http("http://hello.test/?name=Hanako", { port: Number(port) });
    expect(answer).toMatchObject({ status: 200, body: expect.stringContaining("Hello, Hanako") as string });
  });
});

interface Refusal {
  readonly what: string;
  readonly change: (folder: PreparedFolder) => Promise<void> | void;
  readonly code: number;
  readonly error: RegExp;
  readonly next: RegExp;
}

const edit = (folder: PreparedFolder, file: string, change: (text: string) => string) =>
  writeFileSync(join(folder.dir, file), change(readFileSync(join(folder.dir, file), "utf8")));

const REFUSALS: readonly Refusal[] = [
  {
    what: "a published port that is taken",
    change: async ({ ports }) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(ports[0], "127.0.0.1", resolve));
      onTestFinished(() => void server.close());
    },
    code: 1,
    error: /127\.0\.0\.1:\d+/,
    next: /next: .+/,
  },
  {
    what: "a kumiko.yaml that is no YAML",
    change: (folder) => edit(folder, "kumiko.yaml", () => "resources: [manifests\nimages: }"),
    code: 5,
    error: /kumiko\.yaml:\d+/,
    next: /next: .+/,
  },
  {
    what: "manifests that are not there",
    change: (folder) => rmSync(join(folder.dir, "manifests"), { recursive: true }),
    code: 5,
    error: /manifests/,
    next: /next: .+/,
  },
  {
    what: "an image that no command stands for",
    change: (folder) => edit(folder, "kumiko.yaml", (text) => text.replace("hello/greeter", "hello/greter")),
    code: 5,
    error: /image example\.com\/hello\/greeter:1\.0\.0 has no command/,
    next: /next: .+/,
  },
  {
    what: "an Envoy that is not there",
    change: () => {},
    code: 1,
    error: /\/nonexistent\/envoy/,
    next: /next: .+/,
  },
];

describe("up says what is wrong, which command comes next, and leaves nothing, with", () => {
  test.each(REFUSALS)("$what", async ({ what, change, code, error, next }) => {
    const folder = await prepare();
    await change(folder);
    const env = what.startsWith("an Envoy") ? { KUMIKO_ENVOY: "/nonexistent/envoy" } : {};
    const result = await kumiko(["up", folder.dir], folder.dir, env);
    const said = result.stdout + result.stderr;
    expect(said).toMatch(error);
    expect(said).toMatch(next);
    expect(result.code, said).toBe(code);
    expect(await remains(footprintOf([], [folder.dir]))).toEqual([]);
    expect(existsSync(join(folder.dir, ".kumiko/run.json"))).toBe(false);
  });
});

async function podNames(dir: string): Promise<readonly string[]> {
  const { stdout } = await kumiko(["get", "pods", "-A", "-o", "name"], dir);
  return stdout.trim().split("\n").toSorted();
}
