import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FilterWay, tryFilter, withFilter, writeFilter } from "./filter-way.ts";
import { syscallFilter } from "./syscall-filter.ts";
import { checkSystem } from "./system-check.ts";

const filter = syscallFilter();
const PERL = "/usr/bin/perl";
/** Opens a socket of the family; says why it can't. */
const OPEN = 'use Socket; socket(my $s, $ARGV[0], SOCK_STREAM, 0) or die "$!\\n"; print "open"';

const system = checkSystem();

describe.skipIf(filter === undefined || tryFilter().way === undefined || !existsSync(PERL))("withFilter, on this kernel", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "kumiko-filter-"));
    if (filter !== undefined) writeFilter(folder, filter);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (command: readonly string[], file = "filter.bpf") => {
    const way = tryFilter().way as FilterWay;
    const [program = "", ...args] = filter === undefined ? [] : withFilter(way, filter, join(folder, file), command);
    return spawnSync(program, args, { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } });
  };

  test("what it starts opens sockets of the network namespace, and of nothing else", () => {
    const inside = (family: number) => run([PERL, "-e", OPEN, String(family)]);
    for (const family of [1, 2]) expect(inside(family)).toMatchObject({ status: 0, stdout: "open" });
    expect(inside(40)).toMatchObject({ stdout: "", stderr: "Address family not supported by protocol\n" });
  });

  test.skipIf(system.mode !== "namespaces")("what that starts in turn, in a user namespace of its own even, has the filter too", () => {
    const deeper = ["/usr/bin/unshare", "--user", "--map-root-user", PERL, "-e", OPEN, "40"];
    expect(run(deeper)).toMatchObject({ stdout: "", stderr: "Address family not supported by protocol\n" });
  });

  test("gives every word of the command as it is", () => {
    expect(run(["/bin/sh", "-c", 'printf "%s|" "$@"', "sh", "-e", "", "a b", "$HOME"])).toMatchObject({ stdout: "-e||a b|$HOME|" });
  });

  test.each([
    ["that isn't there", "missing", ""],
    ["that the kernel doesn't take", "bad", "12345678"],
    ["of no instruction", "empty", ""],
  ])("runs nothing with a filter %s", (_, file, text) => {
    if (file !== "missing") writeFileSync(join(folder, file), text);
    const { status, stdout } = run(["/bin/echo", "ran"], file);
    expect(status).not.toBe(0);
    expect(stdout).toBe("");
  });
});
