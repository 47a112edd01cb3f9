import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const program = fileURLToPath(new URL("../../../scripts/token.ts", import.meta.url));

describe("the program that prints tokens tells its caller's mistakes without a stack", () => {
  test.each([
    { args: ["alice", "--ttl=foo"], says: "error: --ttl is a whole number of seconds: --ttl 60\n" },
    { args: ["eve"], says: "error: eve is none of the demo users (alice, bob, carol), and so has a password\n  next: run it again" },
    { args: [], says: "usage: node scripts/token.ts USER" },
  ])("$args", ({ args, says }) => {
    const { PLATFORM_PASSWORD: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
      encoding: "utf8",
      env: { ...env, PLATFORM_IDENTITY_PORT: "1" },
    });
    expect(stderr).toContain(says);
    expect(stderr).not.toMatch(/^ +at /m);
    expect([status, stdout]).toEqual([1, ""]);
  });

  test("and the command that it names for an account works in any folder", () => {
    const { PLATFORM_PASSWORD: _, ...env } = process.env;
    const { stderr } = spawnSync(process.execPath, [program, "it's me"], { encoding: "utf8", env: { ...env, PLATFORM_STATE: "/nowhere" } });
    const command = /make the account: (.*)$/m.exec(stderr)?.[1] ?? "";
    const tried = spawnSync("sh", ["-c", command], { encoding: "utf8", cwd: "/", env });
    expect(tried.stderr).toContain("/nowhere/");
  });
});
