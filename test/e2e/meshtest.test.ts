import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CallResult, type Lab, type LoadedFile, loadTests, runTests, type TestRun } from "../../src/meshtest/index.ts";
import { defaultCacheDir, findEnvoy } from "../../src/agent/index.ts";
import { until } from "../../src/testing/until.ts";
import { openTestLab } from "./harness/lab-mesh.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PATHS = ["testdata/meshtest", "samples", "platform"];
const PLANTED = "planted/";

let folder: string;
let lab: Lab | undefined;
let planted: readonly LoadedFile[];
let run: TestRun;

/** Every call twice in the same meshes: as it is, and with something expected that does not happen. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-e2e-"));
  lab = await openTestLab(folder);
  const { files } = await loadTests({ paths: PATHS, cwd: ROOT });
  planted = files.map((file) => ({
    ...file,
    tests: file.tests.map((loaded) => ({
      ...loaded,
      test: { ...loaded.test, name: PLANTED + loaded.test.name, calls: loaded.test.calls.map(withWrong) },
    })),
  }));
  run = await runTests([...files, ...planted], { nowMs: Date.now(), engine: "both", lab });
}, 600_000);

afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true });
});

type Call = LoadedFile["tests"][number]["test"]["calls"][number];

function withWrong(call: Call): Call {
  const { status, connection } = call.expect;
  const wrong =
    status === undefined
      ? { connection: connection === "open" ? ("refused" as const) : ("open" as const) }
      : { status: status === 418 ? 419 : 418 };
  return { ...call, expect: { ...call.expect, ...wrong } };
}

const told = ({ test: name, name: call, reason }: CallResult) => `${name}: ${call}: ${reason}`;
const ofRight = () => run.calls.filter((call) => !call.test.startsWith(PLANTED));
const ofPlanted = () => run.calls.filter((call) => call.test.startsWith(PLANTED));

describe("what the mesh does by now, by the evaluator and by real Envoys", () => {
  test("is what its tests say, and both agree", () => {
    expect(run.errors).toEqual([]);
    expect(
      ofRight()
        .filter(({ verdict }) => verdict !== "pass")
        .map(told),
    ).toEqual([]);
    expect(ofRight().length).toBeGreaterThan(100);
  });

  test("fails with any other expectation, by what the real proxies did", () => {
    expect(
      ofPlanted()
        .filter(({ verdict, engine }) => verdict !== "fail" || engine !== "real")
        .map(told),
    ).toEqual([]);
    expect(ofPlanted()).toHaveLength(ofRight().length);
  });

  test("says of each failure which way the request took, with a line of a file wherever somebody wrote what decides", async () => {
    expect(
      ofPlanted()
        .filter(({ path }) => path.length === 0)
        .map(told),
    ).toEqual([]);
    const hasLine = ({ path, because }: CallResult) => [...path, ...because].some(({ at }) => at !== undefined);
    const evaluated = await runTests(planted, { nowMs: Date.now() });
    const unplaced = ofPlanted().filter((call, i) => !hasLine(call) && hasLine(evaluated.calls[i] as CallResult));
    expect(unplaced.map(told)).toEqual([]);
    expect(ofPlanted().filter(hasLine).length).toBeGreaterThan(90);
  });
});

test("Ctrl-C ends all that was started", async () => {
  const runtime = join(folder, "interrupted");
  mkdirSync(runtime, { mode: 0o700 });
  const { path } = await findEnvoy({ explicit: process.env["KUMIKO_ENVOY"], cacheDir: defaultCacheDir(process.env) });
  const kumiko = spawn(process.execPath, [join(ROOT, "src/main.ts"), "test", "--real", "--envoy", path, ...PATHS], {
    cwd: ROOT,
    env: { ...process.env, XDG_RUNTIME_DIR: runtime },
    stdio: "ignore",
  });
  const ended = once(kumiko, "exit");
  // Envoys name the folder of their mesh.
  await until("an Envoy runs", () => processesNaming(runtime).length > 0, 60_000);
  kumiko.kill("SIGINT");
  expect(await ended).toEqual([130, null]);
  await until("all have ended", () => processesNaming(runtime).length === 0);
  expect(readdirSync(runtime, { recursive: true }).filter((name) => String(name).includes("lab-"))).toEqual([]);
}, 600_000);

function processesNaming(text: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(text));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
