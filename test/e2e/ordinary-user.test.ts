import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findEnvoy } from "../../src/agent/index.ts";
import { readEnvironment } from "../../src/controlplane/config.ts";
import { checkSystem } from "../../src/runtime/index.ts";
import { http } from "./harness/http.ts";
import { freePublishedPorts, repository, startIn } from "./harness/mesh.ts";
import { remains } from "./harness/traces.ts";

const USER = `kumiko-e2e-${process.pid}`;
const has = (program: string) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/** Why the test can't be made here; undefined where it can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can make a user; this run is an ordinary user's itself";
  if (!has("useradd") || !has("userdel")) return "useradd is missing";
  return checkSystem().mode === "namespaces" ? undefined : "the system has no namespaces";
}

const reason = obstacle();

describe.skipIf(reason !== undefined)(`an ordinary user${reason === undefined ? "" : ` (skipped: ${reason})`}`, () => {
  let base: string;
  let user: { readonly uid: number; readonly gid: number };

  beforeAll(async () => {
    base = mkdtempSync(join(tmpdir(), "kumiko-user-"));
    execFileSync("useradd", ["--user-group", "--no-create-home", "--home-dir", join(base, "home"), USER]);
    const idOf = (flag: string) => Number(execFileSync("id", [flag, USER], { encoding: "utf8" }));
    user = { uid: idOf("-u"), gid: idOf("-g") };
    copyClone(join(base, "clone"));
    const { path } = await findEnvoy({ cacheDir: readEnvironment(process.env).cacheDir });
    cpSync(path, join(base, "envoy"));
    chmodSync(join(base, "envoy"), 0o755);
    cpSync(join(repository, "samples/hello"), join(base, "home/mesh"), { recursive: true });
    execFileSync("chown", ["-R", `${user.uid}:${user.gid}`, join(base, "home")]);
    chmodSync(base, 0o755);
  });

  afterAll(() => {
    spawnSync("userdel", [USER]);
    rmSync(base, { recursive: true, force: true });
  });

  test("starts the mesh without any right of root, gets an answer, and leaves nothing after down", async () => {
    const dir = join(base, "home/mesh");
    const ports = await freePublishedPorts(join(dir, "kumiko.yaml"));
    const program = join(base, "clone/kumiko");
    const env = { HOME: join(base, "home"), USER, XDG_RUNTIME_DIR: "", XDG_CACHE_HOME: "", KUMIKO_ENVOY: join(base, "envoy") };
    const mesh = await startIn(dir, { program, as: user, env, ports, remove: () => {} });
    try {
      expect(mesh.output()).toContain("a network namespace for each workload");
      const answer = await http("http://hello.test/?name=Hanako", { port: ports[0] ?? 0 });
      expect(answer).toMatchObject({ status: 200, body: expect.stringContaining("Hanako") as string });
      const footprint = mesh.footprint();
      const owners = footprint.processes.map(({ pid }) => /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
      expect(new Set(owners)).toEqual(new Set([String(user.uid)]));
      const down = spawnSync(program, ["down"], { ...user, cwd: dir, env: { ...process.env, ...env }, encoding: "utf8" });
      expect(down).toMatchObject({ status: 0, stdout: `stopped the mesh of ${dir}\n` });
      expect(await remains(footprint)).toEqual([]);
      expect(existsSync(mesh.runDir)).toBe(false);
    } finally {
      await mesh.stop();
    }
  });
});

/** What a clone needs to run, with its packages as hard links where the file system allows it: quick, and still root's. */
function copyClone(to: string): void {
  const parts = ["kumiko", "scripts", "src", "samples", "proto", "package.json", "package-lock.json"];
  execFileSync("mkdir", ["-p", to]);
  execFileSync("cp", ["-a", ...parts.map((part) => join(repository, part)), to]);
  // Before the packages come: the mode of a hard link is that of this clone's own file.
  execFileSync("chmod", ["-R", "a+rX", to]);
  const linked = spawnSync("cp", ["-al", join(repository, "node_modules"), to]);
  if (linked.status !== 0) execFileSync("cp", ["-a", join(repository, "node_modules"), to]);
}
