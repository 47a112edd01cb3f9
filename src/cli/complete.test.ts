import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadAllCommands } from "./commands.ts";
import { findCandidates, type Names } from "./complete.ts";
import { run } from "./run.ts";
import { fakeIo } from "../testing/fake-io.ts";

const names: Names = {
  resources: async (kind, namespace) => (kind.kind === "VirtualService" && namespace === "shop" ? ["reviews", "cart"] : []),
  workloads: async (namespace) => (namespace === "shop" ? ["users-1"] : ["users-1.shop"]),
  namespaces: async () => ["shop", "default"],
};

describe("completion", () => {
  test.each([
    { line: "pro", expected: ["proxy"] },
    { line: "proxy ro", expected: ["routes"] },
    { line: "proxy routes u", expected: ["users-1.shop"] },
    { line: "proxy -n shop routes u", expected: ["users-1"] },
    { line: "get virt", expected: ["virtualservices"] },
    { line: "get -n shop vs r", expected: ["reviews"] },
    { line: "get -n shop vs reviews ", expected: ["cart"] },
    { line: "get -n shop vs/", expected: ["vs/reviews", "vs/cart"] },
    { line: "get -n s", expected: ["shop"] },
    { line: "get --namespace d", expected: ["default"] },
    { line: "get pods -o j", expected: ["json"] },
    { line: "get --all", expected: ["--all-namespaces"] },
    { line: "apply -f ", expected: [] },
    { line: "completion b", expected: ["bash"] },
    { line: "nonsense x", expected: expect.any(Array) },
  ])("of $line", async ({ line, expected }) => {
    const found = await findCandidates(line.split(" "), await loadAllCommands(), names);
    expect(found.map(({ value }) => value)).toEqual(expected);
  });

  test("of an empty line is the commands, and none that is ours to call", async () => {
    const found = (await findCandidates([""], await loadAllCommands(), names)).map(({ value }) => value);
    expect(found).toContain("get");
    expect(found).not.toContain("__complete");
  });
});

describe("the script", () => {
  const script = async (shell: string) => {
    const { io, written } = fakeIo();
    await run(["completion", shell], io);
    return written.out;
  };

  test("for bash is one that bash can read", async () => {
    const { status, stderr } = spawnSync("bash", ["-n"], { input: await script("bash"), encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("for bash fills in what the program answers", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kumiko-completion-"));
    const program = join(folder, "kumiko");
    writeFileSync(program, '#!/bin/sh\nshift 2\nprintf "%s\\tits help\\n" "$*-one" "$*-two"\n', { mode: 0o755 });
    const driver = `${await script("bash")}\nCOMP_WORDS=(${program} get po)\nCOMP_CWORD=2\n_kumiko\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`;
    const { stdout } = spawnSync("bash", ["-c", driver], { encoding: "utf8" });
    rmSync(folder, { recursive: true });
    expect(stdout).toBe("get po-one\nget po-two\n");
  });

  test.each(["zsh", "fish"])("for %s asks the same question", async (shell) => {
    expect(await script(shell)).toContain("__complete -- ");
  });
});
