import { MeshError } from "../model/error.ts";
import { sendSignal } from "./proc.ts";
import type { Sandbox, Sandboxes } from "./sandbox.ts";
import { getProgram } from "./program.ts";

const CHANGE_FOLDER = 'cd "$1" && shift && exec "$@"';

/** Pods where the system has no namespaces: plain processes on the loopback address. Each command runs in a process group of its own. */
export function createPortSandboxes(): Sandboxes {
  return {
    create: async (_pod, volumes) => {
      if (volumes.some(({ files }) => Object.keys(files).length > 0)) {
        throw new MeshError("usage", "a ConfigMap or Secret can't be mounted as files without mount namespaces", {
          help: "use env or envFrom",
        });
      }
      return toSandbox();
    },
  };
}

function toSandbox(): Sandbox {
  const groups = new Set<number>();
  const killGroups = () => {
    for (const group of groups) sendSignal(-group, "SIGKILL");
    groups.clear();
  };
  return {
    address: "127.0.0.1",
    probeSource: undefined,
    proxyLaunch: [],
    launch: (command, workingDir) => [getProgram("sh"), "-c", CHANGE_FOLDER, "sh", workingDir, ...command],
    findApplication: (pid) => {
      groups.add(pid);
      return pid;
    },
    killLeftovers: killGroups,
    remove: async () => killGroups(),
  };
}
