import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { MeshError } from "../model/error.ts";
import { podAddress, podLink, PROBE_ADDRESS } from "./network.ts";
import type { DesiredPod } from "./pod.ts";
import { readChildren, sendSignal } from "./proc.ts";
import { getProgram } from "./program.ts";
import { runCommand } from "./run-command.ts";
import { sandboxScript } from "./sandbox-script.ts";
import type { Sandbox, Sandboxes } from "./sandbox.ts";
import { systemPath } from "./system-path.ts";
import { type VolumeMounts, writeVolumes } from "./volume.ts";

export interface NamespaceOptions {
  /** State and sockets of the mesh: hidden from every application. */
  readonly hidden: readonly string[];
  /** The applications' folder: what they write there goes to memory and is gone with the pod. */
  readonly folder: string;
  /** Further folders of applications: stay visible wherever they lie, except for `hidden` ones under them. */
  readonly visible: readonly string[];
}

/** Where other programs of the system have their sockets; an application gets empty ones of its own. */
const SYSTEM_FOLDERS = ["/tmp", "/var/tmp", "/run"];
const SETUP_MS = 20_000;

/** Pods as namespaces of their own; to be used inside the machine's namespaces only. */
export function createNamespaceSandboxes(options: NamespaceOptions): Sandboxes {
  const usedNumbers = new Set<number>();
  return {
    async create(pod, volumes) {
      const number = takeNumber(usedNumbers);
      const address = podAddress(number) ?? "";
      try {
        return await startSandbox(pod, volumes, { number, address, options, free: () => usedNumbers.delete(number) });
      } catch (thrown) {
        usedNumbers.delete(number);
        throw thrown;
      }
    },
  };
}

interface Place {
  readonly number: number;
  readonly address: string;
  readonly options: NamespaceOptions;
  readonly free: () => void;
}

async function startSandbox(pod: DesiredPod, volumes: VolumeMounts, place: Place): Promise<Sandbox> {
  const { address, number, options } = place;
  // A system folder as a whole would show what it is hidden for.
  const wanted = [options.folder, ...options.visible.filter((folder) => !SYSTEM_FOLDERS.includes(folder))];
  const visible = outermost(wanted.filter((folder) => SYSTEM_FOLDERS.some((hidden) => isUnder(folder, hidden))));
  const script = sandboxScript({
    hostname: pod.name,
    address,
    namespace: pod.namespace,
    capture: pod.capture,
    hidden: SYSTEM_FOLDERS,
    visible,
    scratch: options.folder,
    hiddenAgain: options.hidden,
    volumes,
  });
  const namespaces = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"];
  const child = spawn(getProgram("unshare"), [...namespaces, "sh", "-c", script], { env: { PATH: systemPath() }, stdio: "pipe", cwd: "/" });
  try {
    const holder = await setUp(child, number);
    writeVolumes(`/proc/${holder}/root`, volumes);
    return toSandbox(child, holder, place);
  } catch (thrown) {
    child.kill("SIGKILL");
    throw thrown;
  }
}

/** Follows the script's two lines; gives the pid of the process that holds the namespaces. */
function setUp(child: ChildProcess, number: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (why: string) => reject(new MeshError("io", `pod network can't be made: ${said.trim() || why}`));
    const timer = setTimeout(() => fail(`nothing heard for ${SETUP_MS / 1000} s`), SETUP_MS);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(0, 4096);
    });
    child.stdin?.on("error", () => {});
    child.once("error", (error) => fail(error.message));
    child.once("close", () => {
      clearTimeout(timer);
      fail("its first process ended");
    });
    if (child.stdout === null) return;
    createInterface(child.stdout).on("line", (line) => {
      const [holder] = readChildren(child.pid ?? 0);
      if (holder === undefined) return fail("its first process is gone");
      if (line === "mounted") {
        runCommand("ip", ["-batch", "-"], podLink(number, holder)).then(
          () => child.stdin?.write("go\n"),
          (error: Error) => fail(error.message),
        );
      } else if (line === "up") {
        clearTimeout(timer);
        resolve(holder);
      }
    });
  });
}

const ENTER = ["--net", "--mount", "--pid", "--uts", "--ipc"];
const CHANGE_FOLDER = 'cd "$1" && shift && exec "$@"';

function toSandbox(child: ChildProcess, holder: number, place: Place): Sandbox {
  const setpriv = (bounding: string) => [getProgram("setpriv"), "--no-new-privs", `--bounding-set=${bounding}`, "--inh-caps=-all", "--"];
  const enter = [
    getProgram("nsenter"),
    "--target",
    String(holder),
    ...ENTER,
    "--",
    ...setpriv("-all"),
    getProgram("sh"),
    "-c",
    CHANGE_FOLDER,
    "sh",
  ];
  return {
    address: place.address,
    probeSource: PROBE_ADDRESS,
    // The mark takes CAP_NET_ADMIN; a gateway's ports below 1024 take CAP_NET_BIND_SERVICE. Nothing else is left to Envoy.
    proxyLaunch: [getProgram("nsenter"), `--net=/proc/${holder}/ns/net`, "--", ...setpriv("-all,+net_admin,+net_bind_service")],
    launch: (command, workingDir) => [...enter, workingDir, ...command],
    findApplication: (pid) => readChildren(pid)[0] ?? pid,
    killLeftovers: () => killTree(holder),
    async remove() {
      const gone = new Promise<void>((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else child.once("exit", () => resolve());
      });
      sendSignal(holder, "SIGKILL");
      await gone;
      await runCommand("ip", ["link", "del", `v${place.number}`]).catch(() => {});
      place.free();
    },
  };
}

/** Orphans of a pod become children of its first process. */
function killTree(holder: number): void {
  for (const child of readChildren(holder)) {
    killTree(child);
    sendSignal(child, "SIGKILL");
  }
}

function takeNumber(used: Set<number>): number {
  let number = 0;
  while (used.has(number)) number++;
  if (podAddress(number) === undefined) throw new MeshError("network", "no pod address is free");
  used.add(number);
  return number;
}

function outermost(folders: readonly string[]): readonly string[] {
  const unique = [...new Set(folders)];
  return unique.filter((folder) => !unique.some((other) => other !== folder && isUnder(folder, other)));
}

function isUnder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
