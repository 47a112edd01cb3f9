import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { MeshError } from "../model/error.ts";
import { markCapability, podAddress, podLink, PROBE_ADDRESS } from "./network.ts";
import type { DesiredPod } from "./pod.ts";
import type { ViewStep } from "./pod-view.ts";
import { createProxyRoot } from "./proxy-root.ts";
import { readChildren, sendSignal } from "./proc.ts";
import { getProgram } from "./program.ts";
import { runCommand } from "./run-command.ts";
import { sandboxScript } from "./sandbox-script.ts";
import type { Sandbox, Sandboxes } from "./sandbox.ts";
import { systemPath } from "./system-path.ts";
import { type VolumeMounts, writeVolumes } from "./volume.ts";

export interface NamespaceOptions {
  /** The mesh's own folder of sockets: shown to no application. */
  readonly runDir: string;
  /** Folders of claims, which stay when pods go. */
  readonly claims: string;
  /** What a pod's programs find of the machine's file system. */
  readonly view: (pod: DesiredPod) => Promise<readonly ViewStep[]>;
}

const SETUP_MS = 20_000;

/** Pods as namespaces of their own; to be used inside the machine's namespaces only. */
export function createNamespaceSandboxes(options: NamespaceOptions): Sandboxes {
  const usedNumbers = new Set<number>();
  // Each pod and each proxy builds its root there, in a mount namespace of its own.
  const root = join(options.runDir, "root");
  makeFolder(root);
  const proxyRoot = createProxyRoot(options.runDir, root);
  return {
    async create(pod, volumes) {
      const number = takeNumber(usedNumbers);
      const address = podAddress(number) ?? "";
      try {
        return await startSandbox(pod, volumes, { number, address, options, root, proxyRoot, free: () => usedNumbers.delete(number) });
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
  readonly root: string;
  readonly proxyRoot: readonly string[];
  readonly free: () => void;
}

async function startSandbox(pod: DesiredPod, volumes: VolumeMounts, place: Place): Promise<Sandbox> {
  const { address, number, options, root } = place;
  const script = sandboxScript({
    root,
    hostname: pod.name,
    address,
    namespace: pod.namespace,
    capture: pod.capture,
    view: await options.view(pod),
    volumes,
    claimFolder: (claim) => makeFolder(join(options.claims, claim)),
  });
  const namespaces = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"];
  const child = spawn(getProgram("unshare"), [...namespaces, "sh", "-c", script], { env: { PATH: systemPath() }, stdio: "pipe", cwd: "/" });
  try {
    const holder = await setUp(child, number, (holder) => writeVolumes(`/proc/${holder}/root`, volumes));
    return toSandbox(child, holder, place);
  } catch (thrown) {
    child.kill("SIGKILL");
    throw thrown;
  }
}

/** Follows the script's three lines; gives the pid of the process that holds the namespaces. */
function setUp(child: ChildProcess, number: number, fillVolumes: (holder: number) => void): Promise<number> {
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
      if (line === "staged") {
        try {
          fillVolumes(holder);
          child.stdin?.write("filled\n");
        } catch (thrown) {
          fail(`volumes can't be written: ${String(thrown)}`);
        }
      } else if (line === "mounted") {
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
    // The mark takes the first; a gateway's ports below 1024 take CAP_NET_BIND_SERVICE. Nothing else is left to Envoy.
    proxyLaunch: [
      ...[getProgram("nsenter"), `--net=/proc/${holder}/ns/net`, "--"],
      ...place.proxyRoot,
      ...setpriv(`-all,+${markCapability(release())},+net_bind_service`),
    ],
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

function makeFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

function takeNumber(used: Set<number>): number {
  let number = 0;
  while (used.has(number)) number++;
  if (podAddress(number) === undefined) throw new MeshError("network", "no pod address is free");
  used.add(number);
  return number;
}
