import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkSystem } from "../../src/runtime/index.ts";
import { http } from "./harness/http.ts";
import { freePublishedPorts, repository, startIn } from "./harness/mesh.ts";
import { makeOrdinaryUser, type OrdinaryUser, userObstacle } from "./harness/ordinary-user.ts";
import { remains } from "./harness/traces.ts";

/** Why the test can't be made here; undefined where it can. */
const reason = userObstacle() ?? (checkSystem().mode === "namespaces" ? undefined : "the system has no namespaces");

describe.skipIf(reason !== undefined)(`an ordinary user${reason === undefined ? "" : ` (skipped: ${reason})`}`, () => {
  let user: OrdinaryUser;

  beforeAll(async () => {
    user = await makeOrdinaryUser();
    cpSync(join(repository, "samples/hello"), join(user.home, "mesh"), { recursive: true });
    user.own(join(user.home, "mesh"));
  });

  afterAll(() => user?.remove());

  test("starts the mesh without any right of root, gets an answer, and leaves nothing after down", async () => {
    const dir = join(user.home, "mesh");
    const ports = await freePublishedPorts(join(dir, "kumiko.yaml"));
    const program = join(user.clone, "kumiko");
    const { uid, gid, env } = user;
    const mesh = await startIn(dir, { program, as: { uid, gid }, env, ports, remove: () => {} });
    try {
      expect(mesh.output()).toContain("a network namespace for each workload");
      const answer = await http("http://hello.test/?name=Hanako", { port: ports[0] ?? 0 });
      expect(answer).toMatchObject({ status: 200, body: expect.stringContaining("Hanako") as string });
      const footprint = mesh.footprint();
      const owners = footprint.processes.map(({ pid }) => /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
      expect(new Set(owners)).toEqual(new Set([String(user.uid)]));
      const filtered = footprint.processes.filter(({ pid }) => /^Seccomp:\s+2$/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));
      const commands = filtered.map(({ command }) => command).join("\n");
      for (const part of ["--config-path", "agent", "machine", "frontend.mjs"]) expect(commands).toContain(part);
      const down = spawnSync(program, ["down"], { uid, gid, cwd: dir, env: { ...process.env, ...env }, encoding: "utf8" });
      expect(down).toMatchObject({ status: 0, stdout: `stopped the mesh of ${dir}\n` });
      expect(await remains(footprint)).toEqual([]);
      expect(existsSync(mesh.runDir)).toBe(false);
    } finally {
      await mesh.stop();
    }
  });
});
