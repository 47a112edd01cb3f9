import { spawnSync } from "node:child_process";
import { getProgram } from "./program.ts";

/** How a process gets mounts of its own: as root, or in a user namespace. */
export type MountWay = "root" | "user-namespace";

export interface MountTrial {
  /** The first way that works; undefined where none does. */
  readonly way: MountWay | undefined;
  /** What the system said to the last one. */
  readonly refusal: string;
}

const WAYS: readonly MountWay[] = ["root", "user-namespace"];
/** `FILE TARGET` pairs until `--`, then the folder and the command. What the machine doesn't have needs no replacement. */
const MOUNT_AND_RUN = `while [ "$1" != -- ]; do
  [ ! -e "$2" ] || mount --bind "$1" "$2" || exit 125
  shift 2
done
shift
cd "$1" && shift && exec "$@"`;

/** The command that runs another one with files of its own in the place of the machine's, and without capabilities. */
export function withMounts(
  way: MountWay,
  mounts: readonly (readonly [file: string, target: string])[],
  command: readonly string[],
  workingDir: string,
): readonly string[] {
  const own = way === "root" ? [] : ["--user", "--map-root-user"];
  // Ports below 1024 are the one thing for which a program in a container of its own would need no right, and needs one here.
  const kept = way === "root" ? "-all,+net_bind_service" : "-all";
  const drop = [getProgram("setpriv"), "--no-new-privs", `--bounding-set=${kept}`, "--inh-caps=-all", "--"];
  return [
    ...[getProgram("unshare"), ...own, "--mount", "--", getProgram("sh"), "-c", MOUNT_AND_RUN, "sh"],
    ...mounts.flat(),
    ...["--", workingDir, ...drop, ...command],
  ];
}

/** Tries it for a moment. */
export function tryMounts(): MountTrial {
  let refusal = "";
  for (const way of WAYS) {
    refusal = tryMount(way);
    if (refusal === "") return { way, refusal };
  }
  return { way: undefined, refusal };
}

function tryMount(way: MountWay): string {
  try {
    const [program = "", ...args] = withMounts(way, [["/dev/null", "/etc/hosts"]], ["true"], "/");
    const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8", timeout: 10_000 });
    return status === 0 ? "" : ((stderr || error?.message || "unshare failed").trim().split("\n").at(-1) ?? "");
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}
