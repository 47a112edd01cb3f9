import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { visibleFolders } from "./visible-folders.ts";

function folders(...names: readonly string[]): string {
  const base = mkdtempSync(join(tmpdir(), "kumiko-visible-"));
  onTestFinished(() => rmSync(base, { recursive: true }));
  for (const name of names) mkdirSync(join(base, name), { recursive: true });
  return base;
}

test("applications see the npm project that their folder belongs to, and the Node that runs them", () => {
  const base = folders("clone/node_modules", "clone/platform");
  expect(visibleFolders(join(base, "clone/platform"), "/opt/node/bin/node")).toEqual([join(base, "clone"), "/opt/node/bin"]);
  expect(visibleFolders(join(base, "clone"), "/opt/node/bin/node")).toEqual([join(base, "clone"), "/opt/node/bin"]);
});

test("a folder in no project is visible alone", () => {
  expect(visibleFolders(folders("mesh"), "/opt/node/bin/node")).toEqual(["/opt/node/bin"]);
});
