import { type CallableHost, callableHosts, findUncallable } from "./local-ports.ts";
import type { MachineEvent } from "./machine-events.ts";
import type { MountWay } from "./mount-way.ts";
import { createNamespaceSandboxes } from "./namespace-sandbox.ts";
import { createLocalPorts, namespacePorts, type PodPorts } from "./pod-ports.ts";
import { createPortSandboxes } from "./port-sandbox.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import type { RelayTable } from "./relay-table.ts";
import type { DeclaredResource } from "./resources.ts";
import type { Sandboxes } from "./sandbox.ts";
import type { RuntimeMode } from "./system-check.ts";

export interface WorkloadModeOptions {
  readonly mode: RuntimeMode;
  readonly mountWay?: MountWay;
  readonly runDir: string;
  readonly stateDir: string;
  readonly folder: string;
  readonly visible: readonly string[];
  readonly images: Readonly<Record<string, ImageCommand>>;
}

/** The machine's end of what lies outside of the mesh. */
export interface OutsideWorld {
  readonly relay: Pick<RelayTable, "movedPorts">;
  readonly lowestPort: number;
}

/** What differs between the modes for the workloads. */
export interface WorkloadMode {
  readonly sandboxes: Sandboxes;
  readonly ports: PodPorts;
  /** Says whether what workloads may call has changed. */
  setResources(resources: readonly DeclaredResource[]): boolean;
  /** What workloads can't call although it is declared. */
  problems(): readonly MachineEvent[];
}

export function workloadMode(options: WorkloadModeOptions, { relay, lowestPort }: OutsideWorld): WorkloadMode {
  const { mode, runDir, stateDir, folder, visible, images, mountWay } = options;
  if (mode === "namespaces") {
    const sandboxes = createNamespaceSandboxes({ hidden: [runDir, stateDir], folder, visible });
    return { sandboxes, ports: namespacePorts, setResources: () => false, problems: () => [] };
  }
  let callable: readonly CallableHost[] = [];
  let known = "";
  const ports = createLocalPorts({
    mesh: runDir,
    images: () => images,
    callable: () => callable,
    outsidePorts: () => relay.movedPorts,
    lowestPort,
  });
  const sandboxes = createPortSandboxes({ runDir, mountWay, hosts: (pod) => ports.hosts(pod) });
  return {
    sandboxes,
    ports,
    setResources(resources) {
      callable = callableHosts(resources);
      const text = JSON.stringify([callable, relay.movedPorts]);
      const isChanged = text !== known;
      known = text;
      if (isChanged) sandboxes.refresh();
      return isChanged;
    },
    problems: () => findUncallable(callable, { lowestPort, hasNames: mountWay !== undefined }),
  };
}
