import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dropOldLogs } from "./old-logs.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-old-logs-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("of pods that are gone the newest logs stay, within bytes; a pod's that runs is not counted", () => {
  for (const [index, name] of ["a-1.log", "a-2.log.1", "a-2.log", "b-1.log"].entries()) {
    writeFileSync(join(folder, name), "x".repeat(400));
    utimesSync(join(folder, name), 1000 + index, 1000 + index);
  }
  writeFileSync(join(folder, "runs.log"), "x".repeat(10_000));
  dropOldLogs(folder, new Set(["runs"]), 900);
  expect(readdirSync(folder).toSorted()).toEqual(["a-2.log", "b-1.log", "runs.log"]);
});

test("a namespace without logs is no failure", () => {
  expect(() => dropOldLogs(join(folder, "nobody"), new Set())).not.toThrow();
});
