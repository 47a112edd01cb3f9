import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { EnvoyBinary } from "../agent/index.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { formatPosition } from "../model/position.ts";
import { type Host, type MachineEvent, RUNTIME_KINDS, startHost, type SystemCheck } from "../runtime/index.ts";
import type { Places } from "./config.ts";
import type { LaunchSettings } from "./launch-settings.ts";
import { writeAtomically } from "./lifecycle.ts";
import type { PodTable } from "./pod-table.ts";
import type { Progress } from "./progress.ts";
import { followFeed } from "./resource-feed.ts";
import { selfCommand } from "./self.ts";
import { visibleFolders } from "./visible-folders.ts";

/** How long a proxy drains when its Pod ends. */
export const DRAIN_SECONDS = 2;

export interface MachineParts {
  readonly places: Places;
  readonly progress: Progress;
  readonly settings: LaunchSettings;
  readonly system: SystemCheck;
  readonly envoy: EnvoyBinary;
  readonly trustDomain: string;
  readonly pods: PodTable;
  /** The mesh can't go on. */
  readonly fail: (error: MeshError) => void;
}

/** Starts what runs the workloads, and the host's end of it; follows what it says. */
export async function startMachineProcess(parts: MachineParts): Promise<Host> {
  const { places, settings, system, envoy, trustDomain, fail } = parts;
  const common = { runDir: places.run, stateDir: places.state };
  const agentFile = join(places.run, "agent.json");
  const machineFile = join(places.run, "machine.json");
  const controlPlane = { socket: places.controlPlaneSocket };
  writeAtomically(agentFile, JSON.stringify({ ...common, controlPlane, trustDomain, envoyPath: envoy.path, generation: randomUUID() }));
  const folders = { folder: places.root, visible: visibleFolders(places.root) };
  const machine = { ...common, ...folders, mode: system.mode, images: settings.images, drainSeconds: DRAIN_SECONDS };
  const sockets = { adminSocket: places.adminSocket, agentSocket: places.agentSocket, feedSocket: places.feedSocket };
  writeAtomically(machineFile, JSON.stringify({ ...machine, ...sockets, agentCommand: [...selfCommand(), "agent", "--of-up", agentFile] }));
  const host = await startHost({
    ...common,
    mode: system.mode,
    folder: places.root,
    settings,
    machineCommand: [...selfCommand(), "machine", machineFile],
    subscribe: (listener) => followFeed(places.feedSocket, RUNTIME_KINDS, (resources) => listener(resources)),
    onEvent: (event) => follow(event, parts),
    // The workloads, their proxies and keys have ended with it.
    onEnd: (how) => fail(new MeshError("io", `the machine ended: ${how}`, { help: `kumiko up ${places.root}` })),
  });
  await host.started;
  return host;
}

function follow(event: MachineEvent, { progress, pods, fail }: MachineParts): void {
  switch (event.kind) {
    case "pods":
      return pods.set(event.pods);
    case "diagnostics":
      for (const found of event.diagnostics) {
        // At the start nobody needs to wait for what can't come; later on, what runs goes on.
        if (found.code === "KMK2010" && !pods.isSettled) fail(toError(found));
        else progress.warn(`${describe(found)}${found.help === undefined ? "" : ` (${found.help})`}`);
      }
      return;
    case "error":
      return progress.warn(`${event.message}${event.help === undefined ? "" : ` (${event.help})`}`);
    default:
  }
}

function toError(found: Diagnostic): MeshError {
  return new MeshError("refused", describe(found), found.help === undefined ? {} : { help: found.help });
}

function describe({ message, position }: Diagnostic): string {
  return `${position === undefined ? "" : `${formatPosition(position)}: `}${message}`;
}
