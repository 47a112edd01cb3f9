import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { EnvoyBinary } from "../agent/index.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { type Host, type MachineEvent, RUNTIME_KINDS, startHost, type SystemCheck } from "../runtime/index.ts";
import type { Places } from "./config.ts";
import type { LaunchSettings } from "./launch-settings.ts";
import { imagesWithoutCommand } from "./launch-skeleton.ts";
import { writeAtomically } from "./lifecycle.ts";
import { FaultTeller } from "./fault-teller.ts";
import { toMissingImages } from "./missing-images.ts";
import type { PodFaults } from "./pod-faults.ts";
import type { PodTable } from "./pod-table.ts";
import type { Progress } from "./progress.ts";
import type { HostReport } from "./host-report.ts";
import { followFeed } from "./resource-feed.ts";
import { selfCommand } from "./self.ts";
import { hiddenPaths, visibleFolders } from "./visible-folders.ts";
import { WaitTeller } from "./wait-teller.ts";

export interface MachineParts {
  readonly places: Places;
  readonly progress: Progress;
  readonly settings: LaunchSettings;
  readonly system: SystemCheck;
  readonly envoy: EnvoyBinary;
  readonly trustDomain: string;
  readonly pods: PodTable;
  /** Stops the start; what the machine says of processes that end is no news then. */
  readonly signal: AbortSignal;
  readonly report: HostReport;
  readonly faults: PodFaults;
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
  const folders = { folder: places.root, visible: visibleFolders(places.root), hidden: hiddenPaths(settings, places) };
  const { mode, mounts, filterWay } = system;
  const machine = {
    ...common,
    ...folders,
    mode,
    ...(mounts?.way !== undefined && { mountWay: mounts.way }),
    images: settings.images,
    resources: settings.resources,
  };
  const sockets = { adminSocket: places.adminSocket, agentSocket: places.agentSocket, feedSocket: places.feedSocket };
  writeAtomically(machineFile, JSON.stringify({ ...machine, ...sockets, agentCommand: [...selfCommand(), "agent", "--of-up", agentFile] }));
  const { warn, mended, say } = parts.progress;
  const tellers = { faults: new FaultTeller({ appeared: warn, mended }), waits: new WaitTeller(say) };
  const host = await startHost({
    ...common,
    signal: parts.signal,
    mode,
    ...(filterWay !== undefined && { filterWay }),
    folder: places.root,
    settings,
    machineCommand: [...selfCommand(), "machine", machineFile],
    subscribe: (listener) => followFeed(places.feedSocket, RUNTIME_KINDS, (resources) => listener(resources)),
    onEvent: (event) => follow(event, parts, tellers),
    onOutside: (program) => parts.report.setProgram(program),
    // The workloads, their proxies and keys have ended with it.
    onEnd: (how) => fail(new MeshError("io", `the machine ended: ${how}`, { help: `kumiko up ${places.root}` })),
  });
  await host.started;
  return host;
}

interface Tellers {
  readonly faults: FaultTeller;
  readonly waits: WaitTeller;
}

function follow(event: MachineEvent, parts: MachineParts, tellers: Tellers): void {
  const { progress, pods, faults, signal } = parts;
  switch (event.kind) {
    case "pods":
      faults.observe(event.pods);
      return pods.set(event.pods);
    case "diagnostics":
      return followDiagnostics(event.diagnostics, parts, tellers.faults);
    case "stopping":
      return tellers.waits.see(event.waitsFor);
    case "error":
      if (signal.aborted) return;
      return progress.warn(`${event.message}${event.help === undefined ? "" : ` (${event.help})`}`);
    default:
  }
}

function followDiagnostics(found: readonly Diagnostic[], { pods, settings, places, fail }: MachineParts, teller: FaultTeller): void {
  // At the start nobody needs to wait for what can't come; later on, what runs goes on.
  const missing = pods.isSettled ? [] : found.filter(({ code }) => code === "KMK2010");
  if (missing.length === 0) return teller.see(found);
  const images = imagesWithoutCommand(settings.resources, settings.images);
  void images.then((named) => fail(toMissingImages(missing, named, places.root))).catch((thrown: unknown) => fail(MeshError.from(thrown)));
}
