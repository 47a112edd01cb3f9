import { join } from "node:path";
import { type CallableHost, callableHosts, findUncallable } from "./local-ports.ts";
import { type LoopbackPorts, readWildcardPorts } from "./loopback.ts";
import type { MachineEvent } from "./machine-events.ts";
import type { MountWay } from "./mount-way.ts";
import { createNamespaceSandboxes } from "./namespace-sandbox.ts";
import type { DesiredPod } from "./pod.ts";
import { createLocalPorts, fixedPorts, namespacePorts, type PodPorts } from "./pod-ports.ts";
import { toPodView } from "./pod-view.ts";
import { PrivateFolders } from "./private-folders.ts";
import { createPortSandboxes } from "./port-sandbox.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import { toOutsideTable } from "./outside-table.ts";
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
  readonly hidden: readonly string[];
  readonly hiddenNow?: () => Promise<readonly string[]>;
  /** PATH of the applications. */
  readonly path: string;
  readonly images: Readonly<Record<string, ImageCommand>>;
}

/** The machine's end of what lies outside of the mesh. */
export interface OutsideWorld {
  readonly relay: Pick<RelayTable, "set" | "movedPorts">;
  /** Where its listeners are: see `toOutsideTable`. */
  readonly place: string | ((host: string) => string);
  readonly ports: LoopbackPorts;
}

/** What differs between the modes for the workloads. */
export interface WorkloadMode {
  readonly sandboxes: Sandboxes;
  readonly ports: PodPorts;
  /** Opens what the resources open to the outside, and takes them as what workloads may call. */
  setResources(resources: readonly DeclaredResource[]): {
    /** What the proxies are told of it has changed. */
    readonly isChanged: boolean;
    /** What workloads can't call although it is declared, where that has changed. */
    readonly problems: readonly MachineEvent[];
  };
}

export function workloadMode(options: WorkloadModeOptions, outside: OutsideWorld): WorkloadMode {
  if (options.mode === "ports") return onLoopback(options, outside);
  const { runDir, stateDir, folder, visible, images } = options;
  const privateFolders = new PrivateFolders();
  const view = async (pod: DesiredPod) => {
    const hidden = [runDir, stateDir, ...options.hidden, ...((await options.hiddenNow?.()) ?? [])];
    return await toPodView(pod, { folder, visible, hidden, images, path: options.path, privateFolders });
  };
  return {
    sandboxes: createNamespaceSandboxes({ runDir, view, claims: join(stateDir, "claims") }),
    ports: namespacePorts,
    setResources(resources) {
      void outside.relay.set(toOutsideTable(resources, outside.place));
      return { isChanged: false, problems: [] };
    },
  };
}

function onLoopback({ runDir, images, mountWay }: WorkloadModeOptions, { relay, place, ports: loopback }: OutsideWorld): WorkloadMode {
  let callable: readonly CallableHost[] = [];
  const outsidePorts = () => relay.movedPorts;
  const ports = createLocalPorts({ mesh: runDir, images: () => images, callable: () => callable, outsidePorts, loopback });
  const sandboxes = createPortSandboxes({ runDir, mountWay, hosts: (pod) => ports.hosts(pod) });
  let told = "";
  let said = "[]";
  return {
    sandboxes,
    ports,
    setResources(resources) {
      loopback.setTaken(new Set([...fixedPorts(resources, images), ...readWildcardPorts()]));
      void relay.set(toOutsideTable(resources, place));
      callable = callableHosts(resources);
      const problems = findUncallable(callable, loopback, mountWay !== undefined);
      const before = { told, said };
      said = JSON.stringify(problems);
      told = JSON.stringify([callable, relay.movedPorts, findUncallable(callable, loopback, true)]);
      if (told !== before.told) sandboxes.refresh();
      return { isChanged: told !== before.told, problems: said === before.said ? [] : problems };
    },
  };
}
