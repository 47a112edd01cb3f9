import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadTests } from "./load.ts";
import { runTests } from "./run.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const NOW = Date.UTC(2026, 0, 1);
const folder = join(root, "testdata/meshtest");
/** No call of it can be judged without real proxies. */
const UNKNOWABLE = "only-real-proxies-tell.yaml";
const files = readdirSync(folder).filter((file) => file.endsWith(".yaml") && file !== UNKNOWABLE);

describe("what the mesh does by now", () => {
  test.each(files)("%s", async (file) => {
    const loaded = await loadTests({ paths: [join(folder, file)], cwd: folder });
    const run = await runTests(loaded.files, { nowMs: NOW });
    const complaints = run.calls.filter(({ verdict }) => verdict !== "pass").map(({ name, reason }) => `${name}: ${reason}`);
    expect([...run.errors, ...complaints]).toEqual([]);
    expect(run.totals.pass).toBeGreaterThan(0);
  });

  test("what only real proxies can tell is skipped, with the reason", async () => {
    const loaded = await loadTests({ paths: [join(folder, UNKNOWABLE)], cwd: folder });
    const run = await runTests(loaded.files, { nowMs: NOW });
    expect(run.calls.map(({ verdict, reason }) => `${verdict}: ${reason}`)).toEqual([
      "skip: undecided at the value of headers.set-cookie, which a proxy makes up",
      "skip: undecided at the connection limits of cluster outbound|8080||one.shop.svc.cluster.local",
    ]);
  });

  test("the sample's own test passes", async () => {
    const loaded = await loadTests({ paths: [join(root, "samples/hello/meshtest.yaml")], cwd: root });
    const run = await runTests(loaded.files, { nowMs: NOW });
    expect(run.calls.filter(({ verdict }) => verdict !== "pass").map(({ name, reason }) => `${name}: ${reason}`)).toEqual([]);
    expect(run.errors).toEqual([]);
  });
});

test("the example of the documentation passes as it stands there", async () => {
  const page = readFileSync(join(root, "docs/meshtest.md"), "utf8");
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  const temporary = mkdtempSync(join(tmpdir(), "kumiko-docs-"));
  try {
    writeFileSync(join(temporary, "example.yaml"), example);
    const loaded = await loadTests({ paths: ["."], cwd: temporary });
    expect((await runTests(loaded.files, { nowMs: NOW })).totals).toEqual({ pass: 2, fail: 0, skip: 0, errors: 0 });
  } finally {
    rmSync(temporary, { recursive: true });
  }
});

test("no call passes with another expectation in its place", async () => {
  const { files: loaded } = await loadTests({ paths: files.map((file) => join(folder, file)), cwd: folder });
  const planted = loaded.map((file) => ({
    ...file,
    tests: file.tests.map((each) => ({
      ...each,
      test: {
        ...each.test,
        calls: each.test.calls.map((call) => {
          const { status, connection } = call.expect;
          const wrong =
            status === undefined
              ? { connection: connection === "open" ? ("refused" as const) : ("open" as const) }
              : { status: status + 1 };
          return { ...call, expect: { ...call.expect, ...wrong } };
        }),
      },
    })),
  }));
  const run = await runTests(planted, { nowMs: NOW });
  expect(run.calls.filter(({ verdict }) => verdict !== "fail").map(({ test: name, name: call }) => `${name}: ${call}`)).toEqual([]);
  expect(run.calls.length).toBeGreaterThan(80);
});

test("one broken file stops no other", async () => {
  const { files: loaded } = await loadTests({ paths: [join(folder, "tokens.yaml"), join(folder, "missing.yaml")], cwd: folder });
  const run = await runTests(loaded, { nowMs: NOW });
  expect(run.totals).toMatchObject({ errors: 1, fail: 0 });
  expect(run.totals.pass).toBeGreaterThan(10);
});
