import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getProgram } from "./program.ts";
import { type SyscallFilter, syscallFilter } from "./syscall-filter.ts";

/** Which of the system's programs sets a filter of system calls: `setpriv` since util-linux 2.41, or a Perl. */
export type FilterWay = "setpriv" | "perl";

export interface FilterTrial {
  /** The first way that works; undefined where none does. */
  readonly way: FilterWay | undefined;
  /** What the last one said. */
  readonly refusal: string;
}

const WAYS: readonly FilterWay[] = ["setpriv", "perl"];

/**
 * As `setpriv` does it: no new privileges (PR_SET_NO_NEW_PRIVS is 38), then the filter (SECCOMP_SET_MODE_FILTER is 1) without the slower memory
 * that older kernels add to one (SECCOMP_FILTER_FLAG_SPEC_ALLOW is 4). `struct sock_fprog` is a count and a pointer.
 */
const PERL = `my ($prctl, $seccomp, $file) = splice @ARGV, 0, 3;
open my $in, "<:raw", $file or die "$file: $!\\n";
my $filter = do { local $/; <$in> };
my $program = pack "S x![P] P", length($filter) / 8, $filter;
syscall($prctl, 38, 1, 0, 0, 0) == 0 && syscall($seccomp, 1, 4, $program) == 0 or die "no filter of system calls: $!\\n";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\\n";
`;

/** Writes the filter's program into a folder; gives the file. */
export function writeFilter(folder: string, { program }: SyscallFilter): string {
  const file = join(folder, "filter.bpf");
  writeFileSync(file, program, { mode: 0o600 });
  return file;
}

/** The command that runs another one, and all that it starts, under the filter whose program is in the file; it doesn't run without. */
export function withFilter(way: FilterWay, filter: SyscallFilter, file: string, command: readonly string[]): readonly string[] {
  if (way === "setpriv") return [getProgram("setpriv"), "--seccomp-filter", file, "--", ...command];
  return [getProgram("perl"), "-e", PERL, "--", String(filter.prctl), String(filter.seccomp), file, ...command];
}

/** Tries it for a moment. */
export function tryFilter(): FilterTrial {
  const filter = syscallFilter();
  if (filter === undefined) return { way: undefined, refusal: `no filter is known for ${process.arch}` };
  let refusal = "";
  for (const way of WAYS) {
    refusal = tryWay(way, filter);
    if (refusal === "") return { way, refusal };
  }
  return { way: undefined, refusal };
}

function tryWay(way: FilterWay, filter: SyscallFilter): string {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), "kumiko-trial-"));
    const file = writeFilter(folder, filter);
    const [program = "", ...args] = withFilter(way, filter, file, [getProgram("true")]);
    const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8", timeout: 10_000 });
    return status === 0 ? "" : stderr?.trim().split("\n").at(-1) || error?.message || `${way} failed`;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}
