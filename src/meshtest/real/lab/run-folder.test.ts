import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { makeRunFolder, removeRunFolder } from "./run-folder.ts";

/** Above the largest pid that Linux gives out. */
const NOBODY = 4_194_305;

let runtimeDir: string;

beforeEach(() => {
  runtimeDir = mkdtempSync(join(tmpdir(), "kml-"));
  onTestFinished(() => rmSync(runtimeDir, { recursive: true, force: true }));
});

test("only its owner may enter it", () => {
  const folder = makeRunFolder(runtimeDir);
  expect([folder, dirname(folder)].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o700]);
});

test("what a killed lab left is cleared away, what a running one has stays", () => {
  const running = makeRunFolder(runtimeDir);
  const killed = join(dirname(running), `lab-${NOBODY}-abcd`);
  const other = join(dirname(running), "4f327509");
  for (const folder of [killed, other]) mkdirSync(join(folder, "m1"), { recursive: true });
  const next = makeRunFolder(runtimeDir);
  expect([running, other, next, killed].map((folder) => existsSync(folder))).toEqual([true, true, true, false]);
});

test("the user's own folder goes with the last of them", () => {
  const [one, two] = [makeRunFolder(runtimeDir), makeRunFolder(runtimeDir)];
  removeRunFolder(one);
  expect(existsSync(two)).toBe(true);
  removeRunFolder(two);
  expect(readdirSync(runtimeDir)).toEqual([]);
});

test("a path in which no socket could be made is said before one is tried", () => {
  const long = join(runtimeDir, "a".repeat(90));
  mkdirSync(long);
  expect(() => makeRunFolder(long)).toThrow("names that are too long");
});
