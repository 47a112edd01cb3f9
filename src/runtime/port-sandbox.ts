import { join } from "node:path";
import { MeshError } from "../model/error.ts";
import { type MountWay, withMounts } from "./mount-way.ts";
import { NameFiles, type NamedHost, toHostsText } from "./name-files.ts";
import type { DesiredPod } from "./pod.ts";
import { sendSignal } from "./proc.ts";
import type { Sandbox, Sandboxes } from "./sandbox.ts";
import { getProgram } from "./program.ts";

const CHANGE_FOLDER = 'cd "$1" && shift && exec "$@"';

export interface PortSandboxOptions {
  readonly runDir: string;
  /** How a pod's processes get files of their own for looking up names; undefined: they can't. */
  readonly mountWay: MountWay | undefined;
  /** Names that lead to the pod's own sidecar. */
  readonly hosts: (pod: DesiredPod) => readonly NamedHost[];
}

export interface PortSandboxes extends Sandboxes {
  /** Writes the names of every pod anew. */
  refresh(): void;
}

/**
 * Pods where the system has no network namespaces: processes on the loopback network. Each command runs in a process group of its own, and
 * where mounts can be had it finds the pod's own names.
 */
export function createPortSandboxes(options: PortSandboxOptions): PortSandboxes {
  const named = new Map<NameFiles, DesiredPod>();
  const writeNames = (files: NameFiles, pod: DesiredPod) => files.writeHosts(toHostsText(pod, options.hosts(pod)));
  return {
    create: async (pod, volumes) => {
      if (volumes.some(({ files }) => Object.keys(files).length > 0)) {
        throw new MeshError("usage", "a ConfigMap or Secret can't be mounted as files where workloads run on local ports", {
          help: "use env or envFrom",
        });
      }
      const { mountWay: way } = options;
      if (way === undefined) return toSandbox((command, folder) => [getProgram("sh"), "-c", CHANGE_FOLDER, "sh", folder, ...command]);
      const files = new NameFiles(join(options.runDir, "names", pod.namespace, pod.name));
      named.set(files, pod);
      writeNames(files, pod);
      const remove = () => {
        named.delete(files);
        files.remove();
      };
      return toSandbox((command, folder) => withMounts(way, files.mounts, command, folder), remove);
    },
    refresh: () => {
      for (const [files, pod] of named) writeNames(files, pod);
    },
  };
}

function toSandbox(launch: Sandbox["launch"], removeFiles = () => {}): Sandbox {
  const groups = new Set<number>();
  const killGroup = (group: number) => {
    sendSignal(-group, "SIGKILL");
    groups.delete(group);
  };
  return {
    address: "127.0.0.1",
    probeSource: undefined,
    proxyLaunch: [],
    launch,
    findApplication: (pid) => {
      groups.add(pid);
      return pid;
    },
    killLeftovers: killGroup,
    remove: async () => {
      for (const group of groups) killGroup(group);
      removeFiles();
    },
  };
}
