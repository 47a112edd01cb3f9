import { describe, expect, test } from "vitest";
import { programFrom, readEnvironment } from "./config.ts";

describe("a person is told commands as they call us", () => {
  test.each([
    [{}, "kumiko", "kumiko"],
    [{ KUMIKO_PROGRAM: "kumiko" }, "kumiko", "kumiko"],
    [{ KUMIKO_PROGRAM: "kumiko", npm_command: "exec" }, "npx kumiko", "npx kumiko"],
    [{ KUMIKO_PROGRAM: "./kumiko" }, "./kumiko", "../kumiko"],
    [{ KUMIKO_PROGRAM: "../clone/kumiko" }, "../clone/kumiko", "../../clone/kumiko"],
    [{ KUMIKO_PROGRAM: "/my proj/kumiko" }, "'/my proj/kumiko'", "'/my proj/kumiko'"],
    [{ KUMIKO_PROGRAM: "./sub/kumiko" }, "./sub/kumiko", "./kumiko"],
  ])("started by %j: %s, and %s in a folder below", (variables, here, below) => {
    const environment = readEnvironment({ HOME: "/home/a", ...variables });
    expect(environment.program).toBe(here);
    expect(programFrom(environment, "/home/a/w", "/home/a/w/sub")).toBe(below);
  });
});
