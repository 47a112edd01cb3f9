import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type FilterTrial, type FilterWay, tryFilter } from "./filter-way.ts";
import { type MountTrial, tryMounts } from "./mount-way.ts";
import { systemPath } from "./system-path.ts";

export type RuntimeMode = "namespaces" | "ports";

export interface MissingProgram {
  readonly program: string;
  readonly package: string;
  /** What a person types to install it. */
  readonly command: string;
}

export interface SystemCheck {
  readonly mode: RuntimeMode;
  /** Programs that the mode needs and the system lacks: a reason to stop and name them, never one to fall back. */
  readonly missing: readonly MissingProgram[];
  /** What doesn't keep workloads apart here, sentence by sentence: much in mode `ports`, and what no namespace holds in mode `namespaces`. */
  readonly weaker: readonly string[];
  /** Why namespaces can't be used, as far as the system says it. */
  readonly reason?: string;
  /** In mode `ports`: how workloads get names of their own. */
  readonly mounts?: MountTrial;
  /** In mode `namespaces`: how a filter of system calls is set; undefined where it can't be. */
  readonly filterWay?: FilterWay;
  /** In mode `ports`: what a person does to have more than that. */
  readonly remedy?: string;
}

/** The questions to the system, so that a test can answer them. */
export interface SystemProbe {
  readonly platform: string;
  hasProgram(name: string): boolean;
  /** Text of a file, undefined where it can't be read. */
  readFile(path: string): string | undefined;
  hasFile(path: string): boolean;
  /** Makes all four namespaces and a bridge for a moment; undefined when that works, else what the system said. */
  tryNamespaces(): string | undefined;
  /** Gives a process a file of its own in the place of the machine's for a moment. */
  tryMounts(): MountTrial;
  /** Runs a process under the filter of system calls for a moment. */
  tryFilter(): FilterTrial;
  readonly isRoot: boolean;
}

const PACKAGES: Readonly<Record<string, string>> = {
  unshare: "util-linux",
  nsenter: "util-linux",
  setpriv: "util-linux",
  pivot_root: "util-linux",
  mount: "mount",
  ip: "iproute2",
  "iptables-restore": "iptables",
};

const WEAKER: readonly string[] = [
  "workloads share the host's network: nothing but convention keeps one from connecting to another's port, or to the outside, past the sidecars",
  "workloads run as your user beside the agent: one of them could read another's key or socket",
  "source addresses are all 127.0.0.1: policies on addresses see no difference between workloads",
  "after a kill -9 of every kumiko process, workloads may be left; `kumiko down` ends them",
];

const VSOCK = "workloads can open AF_VSOCK sockets to this virtual machine's host, past their sidecars: no network namespace holds those";

const UNFILTERED = "workloads find your session's keyring, io_uring and every kind of socket: no filter of system calls can be set";

const WITHOUT_NAMES = "workloads can't look up each other's names (no mount namespaces): they find Services by their variables alone";

/**
 * Which way of running workloads the system allows. Missing programs are named with the package that brings them; only namespaces that the
 * kernel or its policy forbids lead to mode `ports`.
 */
export function checkSystem(probe: SystemProbe = realProbe(), forced?: RuntimeMode): SystemCheck {
  if (forced === "ports") return onPorts(probe, { reason: "asked for by the settings" });
  if (probe.platform !== "linux") return onPorts(probe, { reason: `${probe.platform} has no network namespaces` });
  const forbidden = findProhibition(probe);
  if (forbidden !== undefined) return onPorts(probe, forbidden);
  const missing = Object.keys(PACKAGES).filter((program) => !probe.hasProgram(program));
  if (missing.length > 0) return { mode: "namespaces", missing: missing.map((program) => describe(program, probe)), weaker: [] };
  const refusal = probe.tryNamespaces();
  if (refusal !== undefined) return onPorts(probe, { reason: refusal });
  const { way, refusal: said } = probe.tryFilter();
  if (way !== undefined) return { mode: "namespaces", missing: [], weaker: [], filterWay: way };
  const unfiltered = `${UNFILTERED} (${said}; it takes perl, or setpriv of util-linux 2.41)`;
  return { mode: "namespaces", missing: [], weaker: hasVsock(probe) ? [VSOCK, unfiltered] : [unfiltered] };
}

/** The family alone says nothing: its module may be loaded by whoever asks for a socket. The device is there where it leads somewhere. */
function hasVsock(probe: SystemProbe): boolean {
  return /^AF_VSOCK /m.test(probe.readFile("/proc/net/protocols") ?? "") && probe.hasFile("/dev/vsock");
}

interface Prohibition {
  readonly reason: string;
  readonly remedy?: string;
}

function onPorts(probe: SystemProbe, { reason, remedy }: Prohibition): SystemCheck {
  const mounts = probe.platform === "linux" ? probe.tryMounts() : { way: undefined, refusal: `${probe.platform} has no mount namespaces` };
  const weaker = mounts.way === undefined ? [...WEAKER, WITHOUT_NAMES] : WEAKER;
  const general = probe.isRoot
    ? "run it where mounting is allowed (in a container: --cap-add SYS_ADMIN, without a seccomp filter)"
    : "run it as root";
  return { mode: "ports", missing: [], weaker, reason, mounts, remedy: remedy ?? general };
}

function findProhibition(probe: SystemProbe): Prohibition | undefined {
  const isSet = (path: string, value: string) => probe.readFile(path)?.trim() === value;
  if (isSet("/proc/sys/user/max_user_namespaces", "0")) {
    const remedy = "sudo sysctl -w user.max_user_namespaces=10000";
    return { reason: "user namespaces are switched off (sysctl user.max_user_namespaces=0)", remedy };
  }
  if (isSet("/proc/sys/kernel/unprivileged_userns_clone", "0") && !probe.isRoot) {
    const remedy = "sudo sysctl -w kernel.unprivileged_userns_clone=1";
    return { reason: "user namespaces are for root only (sysctl kernel.unprivileged_userns_clone=0)", remedy };
  }
  if (isSet("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") && !probe.isRoot && probe.tryNamespaces() !== undefined) {
    const remedy = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
    return { reason: "AppArmor forbids user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=1)", remedy };
  }
  return undefined;
}

function describe(program: string, probe: SystemProbe): MissingProgram {
  const name = PACKAGES[program] ?? program;
  return { program, package: name, command: `${probe.isRoot ? "" : "sudo "}${installer(probe)} ${name}` };
}

function installer(probe: SystemProbe): string {
  for (const [program, command] of [
    ["apt-get", "apt-get install"],
    ["dnf", "dnf install"],
    ["pacman", "pacman -S"],
    ["apk", "apk add"],
    ["zypper", "zypper install"],
  ] as const) {
    if (probe.hasProgram(program)) return command;
  }
  return "apt-get install";
}

const TRIAL = "ip link add kumiko-trial type bridge && mount -t tmpfs tmpfs /run && iptables-restore --test </dev/null";

function realProbe(): SystemProbe {
  let trial: { readonly said: string | undefined } | undefined;
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    hasProgram: (name) =>
      systemPath()
        .split(delimiter)
        .some((folder) => isExecutable(join(folder, name))),
    readFile: (path) => {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return undefined;
      }
    },
    hasFile: (path) => existsSync(path),
    tryMounts,
    tryFilter,
    tryNamespaces: () => (trial ??= { said: runTrial() }).said,
  };
}

function runTrial(): string | undefined {
  const namespaces = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const options = { env: { PATH: systemPath() }, encoding: "utf8", timeout: 10_000 } as const;
  const { status, stderr, error } = spawnSync("unshare", [...namespaces, "sh", "-c", TRIAL], options);
  if (status === 0) return undefined;
  return (stderr || error?.message || "unshare failed").trim().split("\n").at(-1) ?? "unshare failed";
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
