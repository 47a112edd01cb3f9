import { mkdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MeshError } from "./error.ts";

function caught(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("what is caught becomes a MeshError", () => {
  test.each([
    ["of the system's refusal an io error, which needs no stack", caught(() => mkdirSync("/proc/nobody/makes/this")), "io"],
    ["of what nobody expected a bug", new TypeError("x is undefined"), "bug"],
    ["of a text a bug", "text", "bug"],
    ["of one that is ours itself", new MeshError("usage", "no"), "usage"],
  ])("%s", (_, thrown, code) => {
    expect(MeshError.from(thrown).code).toBe(code);
  });
});

test.each([
  ["ENOSPC", "/state/run.json", "there is no space left", "df -h /state/"],
  ["ENOSPC", "/my state/run.json", "there is no space left", "df -h '/my state/'"],
  ["ENOSPC", undefined, "there is no space left", "df -h"],
  ["EROFS", "run.json", "nothing can be written there", "findmnt --target ."],
  ["EMFILE", undefined, "too many files are open", "ulimit -n"],
])("what the machine lacks (%s) is said with the next command, and is no bug", (code, path, message, help) => {
  const thrown = Object.assign(new Error(`${code}: words of the system`), { code, ...(path !== undefined && { path }) });
  expect(MeshError.from(thrown)).toMatchObject({ code: "io", message: `${message}: ${code}: words of the system`, help, cause: thrown });
});

test("anything else is what the catcher says, and a bug where it says nothing", () => {
  expect(MeshError.from(Object.assign(new Error("x"), { code: "ERR_ASSERTION" })).code).toBe("bug");
  expect(MeshError.from("x", "network")).toMatchObject({ code: "network", message: "x", help: undefined });
});
