import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runFileIn } from "../controlplane/config.ts";
import { startTimeOf } from "../controlplane/lifecycle.ts";
import { findMesh, howToStart } from "./find-mesh.ts";
import { folderToRun } from "./up-folder.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "kumiko-find-"));
});
afterEach(() => rmSync(top, { recursive: true }));

function record(folder: string, state: "running" | "killed"): void {
  const root = join(top, folder);
  mkdirSync(join(root, ".kumiko"), { recursive: true });
  const startTime = state === "running" ? startTimeOf(process.pid) : "1";
  writeFileSync(runFileIn(root), JSON.stringify({ pid: process.pid, startTime, root, adminSocket: "", agentSocket: "", command: "up" }));
}

function declare(...folders: readonly string[]): void {
  for (const folder of folders) {
    mkdirSync(join(top, folder), { recursive: true });
    writeFileSync(join(top, folder, "kumiko.yaml"), "");
  }
}

describe("a mesh that runs is found before one that was killed", () => {
  test.each<{ readonly meshes: Record<string, "running" | "killed">; readonly from: string; readonly found: string | undefined }>([
    { meshes: { ".": "running" }, from: "a/b", found: "." },
    { meshes: { ".": "killed", platform: "running" }, from: ".", found: "platform" },
    { meshes: { ".": "killed", platform: "running" }, from: "docs", found: "platform" },
    { meshes: { ".": "running", platform: "killed" }, from: "platform", found: "." },
    { meshes: { ".": "running", platform: "running" }, from: ".", found: "." },
    { meshes: { platform: "running", samples: "running" }, from: ".", found: undefined },
    { meshes: { platform: "running", samples: "killed" }, from: ".", found: "platform" },
    { meshes: { platform: "running" }, from: "docs", found: undefined },
    { meshes: { ".": "killed" }, from: ".", found: "." },
    { meshes: { platform: "killed" }, from: ".", found: "platform" },
  ])("$meshes from $from", ({ meshes, from, found }) => {
    mkdirSync(join(top, from), { recursive: true });
    for (const [folder, state] of Object.entries(meshes)) record(folder, state);
    expect(findMesh(join(top, from))?.record.root).toBe(found === undefined ? undefined : join(top, found));
  });
});

describe("what starts a mesh is said as it would be typed", () => {
  test.each([
    { declared: [], from: ".", command: "kumiko up" },
    { declared: ["."], from: ".", command: "kumiko up" },
    { declared: ["."], from: "manifests", command: "kumiko up .." },
    { declared: ["platform", "samples/hello"], from: ".", command: "kumiko up platform" },
    { declared: ["my samples/hello"], from: ".", command: "kumiko up 'my samples/hello'" },
  ])("$command in $from with $declared", ({ declared, from, command }) => {
    mkdirSync(join(top, from), { recursive: true });
    declare(...declared);
    expect(howToStart(join(top, from), join(top, from))).toBe(command);
  });
});

describe("up takes", () => {
  test.each([undefined, ".", "empty", "platform", "samples/hello"])("%s", (named) => {
    declare(...(named === undefined || named === "." ? [] : ["platform", "samples/hello"]));
    mkdirSync(join(top, "empty"));
    expect(folderToRun(named, top)).toBe(join(top, named ?? "."));
  });

  test("not a folder that isn't there, and makes none", () => {
    declare("platform");
    expect(() => folderToRun("nosuch", top)).toThrow(
      expect.objectContaining({ code: "usage", message: "there is no folder nosuch", help: expect.stringContaining("mkdir -p nosuch") }),
    );
    expect(() => folderToRun("plaform", top)).toThrow(
      expect.objectContaining({ message: 'there is no folder plaform (did you mean "platform"?)', help: "kumiko up platform" }),
    );
    expect(() => folderToRun("platform/kumiko.yaml", top)).toThrow(expect.objectContaining({ help: "kumiko up platform" }));
  });

  test("not a folder that only holds meshes of its own", () => {
    declare("platform", "samples/hello");
    expect(() => folderToRun(undefined, top)).toThrow(
      expect.objectContaining({
        code: "usage",
        message: `${top} has no kumiko.yaml, and holds several meshes: platform, samples/hello`,
        help: "kumiko up platform   (or, to run all of it as one mesh:  touch kumiko.yaml)",
      }),
    );
    declare(".");
    expect(folderToRun(undefined, top)).toBe(top);
  });
});
