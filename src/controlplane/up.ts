import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkEnvoyVersion, type EnvoyBinary, findEnvoy } from "../agent/index.ts";
import { asTyped } from "../base/as-typed.ts";
import { MeshError } from "../model/error.ts";
import { checkSystem, type ObservedPod, type RuntimeMode, type SystemCheck, unlessAborted } from "../runtime/index.ts";
import type { Profile } from "../schema/mesh-config.ts";
import { ask } from "./admin-client.ts";
import type { Environment, Places } from "./config.ts";
import { FaultTeller } from "./fault-teller.ts";
import { followDiagnostics } from "./follow-diagnostics.ts";
import { checkNames } from "./check-names.ts";
import { checkLaunchSettings, checkResourcesExist, type LaunchSettings, readLaunchSettings } from "./launch-settings.ts";
import { endLeftovers } from "./leftovers.ts";
import { claimRun, makePrivateFolder, releaseRun, startTimeOf, writeAtomically } from "./lifecycle.ts";
import { HostReport } from "./host-report.ts";
import { meshSettled } from "./mesh-settled.ts";
import { PodFaults } from "./pod-faults.ts";
import { PodTable } from "./pod-table.ts";
import { prepare } from "./prepare.ts";
import type { Progress } from "./progress.ts";
import { sampleFolder, selfCommand } from "./self.ts";
import { type Supervised, supervise } from "./supervise.ts";
import { startMachineProcess } from "./up-machine.ts";

export interface UpOptions {
  readonly places: Places;
  readonly environment: Environment;
  /** How somebody in the mesh's folder calls us. */
  readonly program: string;
  readonly profile?: Profile;
  readonly envoy?: string;
  /** Forces a way of running workloads; by default the best that the system allows. */
  readonly mode?: RuntimeMode;
  /** Stop: what is begun is ended, also during the start. */
  readonly signal: AbortSignal;
  /** Stop at once, while it stops. */
  readonly impatience: AbortSignal;
  readonly progress: Progress;
}

export interface RunningMesh {
  readonly settings: LaunchSettings;
  readonly system: SystemCheck;
  /** Workloads that were not ready in time. */
  readonly notReady: readonly ObservedPod[];
  /** Rejects when the mesh can't go on; `stop` is called then as well. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

const CONTROL_PLANE_START_MS = 30_000;
const WORKLOADS_START_MS = 90_000;
const SETTLE_MS = 10_000;
const STOP_GRACE_MS = 15_000;

/** Starts everything on this machine, step by step. What was started is stopped again where a step fails, or with the signal, whose reason it then rejects with. */
export async function startUp(options: UpOptions): Promise<RunningMesh> {
  const { places, progress } = options;
  copySampleIfEmpty(options);
  const { pid } = process;
  claimRun(places.runFile, {
    pid,
    startTime: startTimeOf(pid),
    root: places.root,
    adminSocket: places.adminSocket,
    agentSocket: places.agentSocket,
    command: "up",
  });
  const closers: (() => Promise<unknown> | unknown)[] = [() => releaseRun(places), () => endLeftovers(places)];
  const nothingStarted = closers.length;
  const stop = async () => {
    const isSaid = closers.length > nothingStarted || options.signal.aborted;
    if (isSaid) progress.stopping();
    for (const close of closers.splice(0).reverse()) await close();
    if (isSaid) progress.stopped();
  };
  try {
    // Those of a mesh that was killed: its processes may still be about to end, and to remove sockets of the same names.
    await endLeftovers(places);
    rmSync(places.run, { recursive: true, force: true });
    return { ...(await start(options, closers)), stop };
  } catch (error) {
    await stop();
    // What fails when it is interrupted, as programs do that a Ctrl-C at the terminal reaches, too, is no failure.
    options.signal.throwIfAborted();
    throw error;
  }
}

function copySampleIfEmpty({ places: { root }, program, progress: { say } }: UpOptions): void {
  if (readdirSync(root).some((name) => !name.startsWith("."))) return;
  cpSync(sampleFolder(), root, { recursive: true });
  const readme = join(root, "README.md");
  writeFileSync(readme, asTyped(readFileSync(readme, "utf8"), program));
  say(`${root} is empty: a sample of two services was copied into it`);
}

async function start(options: UpOptions, closers: (() => unknown)[]): Promise<Omit<RunningMesh, "stop">> {
  const { places, environment, progress, signal, impatience } = options;
  for (const folder of [places.state, join(places.state, "logs"), places.run]) makePrivateFolder(folder);
  const settings = readLaunchSettings(places, environment);
  checkLaunchSettings(settings, places);
  for (const { message, position } of settings.diagnostics)
    progress.warn(`${position === undefined ? "" : `${position.file}:${position.line}: `}${message}`);
  const system = await progress.step("system", async () => checkPrograms(checkSystem(undefined, options.mode)), describeSystem);
  for (const line of system.weaker) progress.warn(line);
  const report = new HostReport(places.adminSocket, progress);
  closers.push(() => report.close());
  const envoy = await progress.step(
    "envoy",
    () => findProxy(options),
    ({ version, path }) => `${version}, ${path}`,
  );
  for (const { message } of checkEnvoyVersion(envoy.version, envoy.path)) progress.warn(message);
  if (settings.prepare.length > 0)
    await progress.step(
      "prepare",
      () => prepare(settings, places, environment),
      () => settings.prepare.join(" "),
    );
  checkResourcesExist(settings, places);

  const trustDomain = await progress.step(
    "control plane",
    () =>
      unlessAborted(
        startControlPlaneProcess(options, settings, closers, () => report.send()),
        signal,
      ),
    (domain) => `trust domain ${domain}`,
  );
  await checkNames(system, places.adminSocket);
  report.setWeaker(system.weaker);
  await removeOldPods(places);
  closers.push(followDiagnostics(places.adminSocket, new FaultTeller({ appeared: progress.warn, mended: progress.mended })));
  const pods = new PodTable();
  const faults = new PodFaults({ progress, logs: join(places.state, "logs") });
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const host = await progress.step(
    "machine",
    () =>
      startMachineProcess({ places, progress, settings, system, envoy, trustDomain, pods, report, faults, signal, fail: failure.reject }),
    () => Object.keys(settings.outside).join(", "),
  );
  // What ends now was told to.
  closers.push(
    () => host.stop({ graceMs: STOP_GRACE_MS, atOnce: impatience }),
    () => faults.close(),
  );
  const notReady = await progress.step(
    "workloads",
    () => unlessAborted(Promise.race([workloadsReady(options, pods), failure.promise]), signal),
    () => `${pods.count} ready`,
  );
  return { settings, system, notReady, failed: failure.promise };
}

/** Ready is a workload that others reach: its Pod is ready, and every proxy has acknowledged a configuration that knows it. */
async function workloadsReady({ places, signal }: UpOptions, pods: PodTable): Promise<readonly ObservedPod[]> {
  const notReady = await pods.settled(WORKLOADS_START_MS, signal);
  await meshSettled(places.adminSocket, { pods: pods.count, timeoutMs: SETTLE_MS, signal });
  return notReady;
}

function checkPrograms(system: SystemCheck): SystemCheck {
  if (system.missing.length === 0) return system;
  const names = system.missing.map(({ program }) => program).join(", ");
  throw new MeshError("missing-program", `missing on this system: ${names}`, {
    help: [...new Set(system.missing.map(({ command }) => command))].join("; "),
  });
}

function describeSystem({ mode, reason }: SystemCheck): string {
  return mode === "namespaces" ? "a network namespace for each workload" : `explicit local ports (${reason ?? "no namespaces"})`;
}

function findProxy({ envoy, environment }: UpOptions): Promise<EnvoyBinary> {
  const explicit = envoy ?? environment.envoy;
  return findEnvoy({ ...(explicit !== undefined && { explicit }), cacheDir: environment.cacheDir });
}

async function startControlPlaneProcess(
  { places, profile, environment, progress, signal, impatience }: UpOptions,
  settings: LaunchSettings,
  closers: (() => unknown)[],
  onRestart: () => void,
): Promise<string> {
  const configFile = join(places.run, "serve.json");
  const hosts = settings.hosts;
  writeAtomically(configFile, JSON.stringify({ paths: settings.resources, hosts, authorities: settings.authorities, profile }));
  const child: Supervised = supervise({
    name: "control plane",
    command: [...selfCommand(), "serve", "--dev", "--of-up", configFile, "--dir", places.root],
    env: { ...environment.variables },
    cwd: places.root,
    logFile: join(places.state, "logs", "control-plane.log"),
    socket: places.adminSocket,
    onEnd: (how, againInMs) => {
      progress.warn(`the control plane ended (${how}) and starts again in ${againInMs} ms; kumiko logs control-plane`);
      onRestart();
    },
  });
  closers.push(() => child.stop(STOP_GRACE_MS, impatience));
  signal.addEventListener("abort", () => child.retire(), { once: true });
  const deadline = performance.now() + CONTROL_PLANE_START_MS;
  for (;;) {
    try {
      const { body } = await ask(places.adminSocket, "/kumiko/v1/status");
      const { trustDomain } = body as { readonly trustDomain?: unknown };
      if (typeof trustDomain === "string") return trustDomain;
    } catch (error) {
      if (performance.now() > deadline)
        throw new MeshError("timeout", "the control plane does not answer", {
          help: `cat ${join(places.state, "logs", "control-plane.log")}`,
          cause: error,
        });
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** Pods that an earlier run reported and could not take back. */
async function removeOldPods({ adminSocket }: Places): Promise<void> {
  const { body } = await ask(adminSocket, "/api/v1/pods");
  const { items = [] } = (body ?? {}) as {
    readonly items?: readonly { readonly metadata: { readonly namespace: string; readonly name: string } }[];
  };
  for (const { metadata } of items)
    await ask(adminSocket, `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`, { method: "DELETE" });
}
