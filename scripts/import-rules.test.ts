import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const SETTINGS = [".dependency-cruiser.mjs", ".oxlintrc.json", "tsconfig.json", "tsconfig.core.json", "package.json"];

/** A small tree that keeps every rule, under the settings of the real one; each test plants what one net must catch. */
let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "kumiko-import-rules-"));
  for (const file of SETTINGS) cpSync(join(root, file), join(tree, file));
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  for (const folder of ["console", "platform", "scripts", "test"]) mkdirSync(join(tree, folder));
  plant("src/base/word.ts", "export const word = 'w';\n");
  plant(
    "src/model/noun.ts",
    "import { word } from '../base/word.ts';\nexport interface Noun { readonly word: string }\nexport const noun: Noun = { word };\n",
  );
  plant("src/store/contract.ts", "export interface Store { readonly name: string }\nexport const nothing: Store = { name: '' };\n");
  plant("src/xds/protocol/state.ts", "export const state = 1;\n");
  plant(
    "src/agent/relay.ts",
    "import { state } from '../xds/protocol/state.ts';\nimport { nothing } from '../store/contract.ts';\nexport const relay = [state, nothing];\n",
  );
  plant("src/testing/fake.ts", "export const fake = 1;\n");
  plant("src/meshtest/judge.ts", "import { relay } from '../agent/relay.ts';\nexport const judge = relay;\n");
  plant("src/cli/run.ts", "import { relay } from '../agent/relay.ts';\nexport const run = relay;\n");
});

afterEach(() => rmSync(tree, { recursive: true, force: true }));

function plant(file: string, text: string): void {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), text);
}

function check(program: string, ...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "node_modules/.bin", program), ...args], {
    cwd: tree,
    env,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

const cruise = () => check("depcruise", "--config", ".dependency-cruiser.mjs", "--output-type", "err-long", "src", "console", "platform");

describe("dependency-cruiser", () => {
  test("sees the modules of a tree that keeps the rule, and finds nothing", () => {
    const { status, output } = cruise();
    expect(status, output).toBe(0);
    expect(Number(/\((\d+) modules/.exec(output)?.[1])).toBeGreaterThanOrEqual(7);
  });

  test.each([
    { rule: "base-looks-down", file: "src/base/bad.ts", text: "import type { Noun } from '../model/noun.ts';\nexport type Bad = Noun;\n" },
    { rule: "model-looks-down", file: "src/model/bad.ts", text: "export { relay } from '../agent/relay.ts';\n" },
    { rule: "core-is-pure", file: "src/model/bad.ts", text: "export { readFileSync } from 'node:fs';\n" },
    { rule: "agent-knows-another-edge", file: "src/agent/bad.ts", text: "export { serve } from '../xds/serve.ts';\n" },
    { rule: "store-knows-another-edge", file: "src/store/bad.ts", text: "export const load = () => import('../agent/relay.ts');\n" },
    { rule: "controlplane-knows-the-cli", file: "src/controlplane/bad.ts", text: "export { run } from '../cli/run.ts';\n" },
    { rule: "meshtest-knows-what-calls-it", file: "src/meshtest/bad.ts", text: "export { run } from '../cli/run.ts';\n" },
    { rule: "controlplane-knows-meshtest", file: "src/controlplane/bad.ts", text: "export { judge } from '../meshtest/judge.ts';\n" },
    { rule: "product-knows-its-tests", file: "src/cli/bad.ts", text: "export { fake } from '../testing/fake.ts';\n" },
    { rule: "platform-knows-the-mesh", file: "platform/src/user/bad.ts", text: "export { word } from '../../../src/base/word.ts';\n" },
    { rule: "console-knows-the-server", file: "console/bad.ts", text: "export { word } from '../src/base/word.ts';\n" },
    { rule: "no-cycles", file: "src/base/bad.ts", text: "import { worse } from './worse.ts';\nexport const bad = () => worse;\n" },
    { rule: "not-declared", file: "src/cli/bad.ts", text: "export { defineConfig } from 'vitest/config';\n" },
  ])("catches $rule", ({ rule, file, text }) => {
    plant("src/xds/serve.ts", "export const serve = 1;\n");
    if (rule === "no-cycles") plant("src/base/worse.ts", "import { bad } from './bad.ts';\nexport const worse = () => bad;\n");
    plant(file, text);
    const { status, output } = cruise();
    expect(output).toContain(rule);
    expect(output).toContain(file);
    expect(status).not.toBe(0);
  });
});

describe("the core's own tsconfig", () => {
  const compile = () => check("tsc", "-p", "tsconfig.core.json", "--incremental", "false");

  test("passes a core without Node", () => {
    const { status, output } = compile();
    expect(status, output).toBe(0);
  });

  test.each([
    { title: "an import of Node", text: "export { readFileSync } from 'node:fs';\n" },
    { title: "fetch", text: "export const bad = () => fetch('http://127.0.0.1');\n" },
    { title: "the process", text: "export const bad = () => process.env;\n" },
    { title: "a timer", text: "export const bad = () => setTimeout(() => {}, 1);\n" },
  ])("refuses $title", ({ text }) => {
    plant("src/mesh/bad.ts", text);
    const { status, output } = compile();
    expect(output).toContain("src/mesh/bad.ts");
    expect(status).not.toBe(0);
  });
});

describe("the linter", () => {
  const lint = () => check("oxlint", "--quiet", "src");

  test("passes a tree that keeps the rule", () => {
    const { status, output } = lint();
    expect(status, output).toBe(0);
  });

  test.each([
    {
      title: "Node in the core",
      file: "src/translate/istio/bad.ts",
      text: "export { readFileSync } from 'node:fs';\n",
      message: "the core is pure",
    },
    {
      title: "an edge in the core",
      file: "src/mesh/bad.ts",
      text: "export { relay } from '../agent/relay.ts';\n",
      message: "the core knows no edge",
    },
    { title: "node-forge anywhere", file: "src/ca/bad.ts", text: "export { pki } from 'node-forge';\n", message: "banned" },
  ])("catches $title", ({ file, text, message }) => {
    plant(file, text);
    const { status, output } = lint();
    expect(output).toContain(message);
    expect(status).not.toBe(0);
  });
});
