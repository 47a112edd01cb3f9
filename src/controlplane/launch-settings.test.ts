import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { placesOf, readEnvironment } from "./config.ts";
import { readLaunchSettings } from "./launch-settings.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-launch-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(yaml: string, variables: Record<string, string> = {}) {
  writeFileSync(join(folder, "kumiko.yaml"), yaml);
  const environment = readEnvironment({ PATH: "/bin", HOME: "/home/x", ...variables });
  return readLaunchSettings(placesOf(folder, environment), environment);
}

test("paths are absolute, and STATE is the state folder", () => {
  const settings = read("resources: [k8s, '${STATE}/made']\nauthorities: [ca.pem]");
  expect(settings.resources).toEqual([join(folder, "k8s"), join(folder, ".kumiko/made")]);
  expect(settings.authorities).toEqual([join(folder, "ca.pem")]);
});

test("resources may be read for a namespace", () => {
  const { resources, diagnostics } = read("resources: [a, {path: b, namespace: '${NS}'}, {path: c}]", { NS: "foo" });
  expect(resources).toEqual([join(folder, "a"), { path: join(folder, "b"), namespace: "foo" }, join(folder, "c")]);
  expect(diagnostics).toEqual([]);
  const wrong = read("resources: [{namespace: foo}, {path: a, namespace: A}, {path: a, namespce: b}]");
  expect(wrong.diagnostics.map(({ message }) => message)).toEqual([
    "resources[0].path: a path is needed",
    "resources[1].namespace: a namespace is needed",
    "resources[2].namespce is not known",
  ]);
});

test("the caller's environment wins over the file's", () => {
  const yaml = "env: { PORT: '1', OTHER: '${PORT}2' }\nprepare: { command: [make, '${PORT}'] }";
  expect(read(yaml).prepare).toEqual(["make", "1"]);
  expect(read(yaml, { PORT: "9" })).toMatchObject({
    prepare: ["make", "9"],
    programEnv: { PORT: "9", OTHER: "92", STATE: join(folder, ".kumiko") },
  });
});

test("outside programs get the file's variables beside their own", () => {
  const { outside } = read("env: { A: '1' }\noutside: { db: { command: [run], env: { B: '${A}2' } } }");
  expect(outside["db"]?.env).toEqual({ A: "1", B: "12", STATE: join(folder, ".kumiko") });
});

test("without a kumiko.yaml every manifest of the folder counts", () => {
  const environment = readEnvironment({ HOME: "/home/x" });
  expect(readLaunchSettings(placesOf(folder, environment), environment)).toMatchObject({
    isDeclared: false,
    resources: [folder],
    diagnostics: [],
  });
});

test("what is wrong is named with file and line, and the rest counts", () => {
  const { diagnostics, resources } = read("resources: [k8s]\npublsh: []");
  expect(diagnostics).toMatchObject([
    { code: "KMK1002", position: { file: join(folder, "kumiko.yaml"), line: 2 }, help: expect.stringContaining("publish") },
  ]);
  expect(resources).toEqual([join(folder, "k8s")]);
});
