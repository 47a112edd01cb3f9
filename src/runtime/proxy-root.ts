import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { quote } from "../base/shell.ts";
import { getProgram } from "./program.ts";
import { ROOT_FUNCTIONS } from "./root-script.ts";

/** The agent puts its own paths in the place of these words: the program, its bootstrap file, and the folder of its two sockets. */
const AGENTS_PATHS = ["{envoy}", "{bootstrap}", "{sockets}"];

/**
 * Writes the shell program that gives an Envoy a file system of its own, and gives the words that go before its command: it finds the system's
 * libraries, its program, its bootstrap and its sockets; no key, no state, no manifest, no home. In a PID namespace of its own it can signal
 * nobody. The process that the agent knows is `unshare`, which ends with Envoy, as Envoy does with it.
 */
export function createProxyRoot(runDir: string, root: string): readonly string[] {
  const file = join(runDir, "proxy-root.sh");
  writeFileSync(file, proxyScript(root), { mode: 0o600 });
  const namespaces = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"];
  return [getProgram("unshare"), ...namespaces, "--", getProgram("sh"), file, ...AGENTS_PATHS];
}

/** The machine's resolver answers Envoy too; what is written to a file goes to memory, but for the log that it was started with. */
function proxyScript(root: string): string {
  return [
    "set -e",
    ROOT_FUNCTIONS,
    `begin ${quote(root)}`,
    'show "$1"',
    'show "$2"',
    "settle",
    "devices",
    'cp -L /etc/resolv.conf /etc/hosts "$root/etc/"',
    'mkdir -p "$root$3"',
    'mount --bind "$3" "$root$3"',
    "shift 3",
    "enter_root",
    "close_kernel",
    "close_root",
    'exec "$@"',
    "",
  ].join("\n");
}
