import { expect, test } from "vitest";
import { MeshError } from "./error.ts";

test.each([
  ["ENOSPC", "/state/run.json", "there is no space left", "df -h /state/"],
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
