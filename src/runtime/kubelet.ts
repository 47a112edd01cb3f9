import { join } from "node:path";
import { type Diagnostic, diagnostic } from "../model/diagnostic.ts";
import { formatRef } from "../model/resource.ts";
import type { ServiceBody } from "../schema/bodies.ts";
import { terminationOf } from "../schema/proxy-config.ts";
import { findImage, findUnmapped, toCommand } from "./container-command.ts";
import { type DesiredWorkload, toDesiredWorkload } from "./deployment.ts";
import { serviceVariables, toContainerEnv } from "./env.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import { LogFile } from "./log-file.ts";
import { findCalls, stopTogether } from "./mesh-stop.ts";
import { dropOldLogs } from "./old-logs.ts";
import type { DesiredPod, PodStatus } from "./pod.ts";
import type { PodPorts } from "./pod-ports.ts";
import { PodRun, type StopState } from "./pod-run.ts";
import type { PodReports, PodSurroundings, ProxyControl } from "./pod-surroundings.ts";
import { portVariables } from "./port-variables.ts";
import { type DeclaredResource, ResourceTable } from "./resources.ts";
import { planRollout } from "./rollout.ts";
import type { Sandboxes } from "./sandbox.ts";
import { toPodVolumes } from "./volume.ts";
import type { ProcessCommand } from "./workload-process.ts";

export interface KubeletOptions {
  readonly sandboxes: Sandboxes;
  readonly agent: ProxyControl;
  readonly reports: PodReports;
  readonly ports: PodPorts;
  readonly images: () => Readonly<Record<string, ImageCommand>>;
  /** Folder of `kumiko.yaml`: working folders are relative to it. */
  readonly folder: string;
  /** Logs go to `STATE/logs/NAMESPACE/POD.log`. */
  readonly stateDir: string;
  /** What every application finds in its environment: PATH, HOME. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly resolver?: string;
  readonly onPods?: (pods: readonly ObservedPod[]) => void;
  readonly onDiagnostics?: (diagnostics: readonly Diagnostic[]) => void;
}

export interface ObservedPod extends PodStatus {
  readonly namespace: string;
  readonly name: string;
  readonly workload: string;
}

/** A pod that hasn't ended yet, and what it waits for. */
export interface WaitedFor extends StopState {
  readonly namespace: string;
  readonly name: string;
}

/** Runs what Deployments and StatefulSets ask for, and reports each pod: the part that a kubelet and its controllers have in a cluster. */
export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #runs = new Map<string, PodRun[]>();
  #table = new ResourceTable([]);
  #desired: ReadonlyMap<string, DesiredWorkload> = new Map();
  #isPlanned = false;
  #isStopping = false;

  constructor(options: KubeletOptions) {
    this.#options = options;
  }

  /** Takes the place of all resources known so far. */
  setResources(resources: readonly DeclaredResource[]): void {
    this.#table = new ResourceTable(resources);
    const workloads = resources.flatMap((resource) => toDesiredWorkload(resource) ?? []);
    this.#desired = new Map(workloads.map((workload) => [formatRef(workload), workload]));
    this.#options.onDiagnostics?.(this.#findProblems());
    this.#plan();
  }

  get pods(): readonly ObservedPod[] {
    return [...this.#runs].flatMap(([workload, runs]) =>
      runs.map(({ pod, status }) => ({ namespace: pod.namespace, name: pod.name, workload, ...status })),
    );
  }

  /** Addresses of the ready pods of a workload. */
  readyAddresses(ref: { readonly kind: string; readonly namespace: string; readonly name: string }): readonly string[] {
    return (this.#runs.get(formatRef(ref)) ?? []).filter(({ status }) => status.ready).map(({ status }) => status.address);
  }

  /** Reports every pod and its proxy again: control plane or agent has started anew, or what may be called has changed. */
  refresh(): void {
    for (const run of this.#all()) run.refresh();
  }

  /** Ends all pods; nothing starts any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await stopTogether(this.#all(), await findCalls(this.#all(), this.#options.agent, this.#table));
  }

  /** The pods that a stop waits for, and why. */
  async waitsFor(): Promise<readonly WaitedFor[]> {
    const found = await Promise.all(
      this.#all().map(async (run) => {
        const state = await run.readStopState();
        return state && { namespace: run.pod.namespace, name: run.pod.name, ...state };
      }),
    );
    return found.filter((state) => state !== undefined);
  }

  #all(): readonly PodRun[] {
    return [...this.#runs.values()].flat();
  }

  /** Many changes at once are one step. */
  #plan(): void {
    if (this.#isPlanned || this.#isStopping) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      if (!this.#isStopping) this.#reconcile();
    });
  }

  #reconcile(): void {
    for (const [key, runs] of this.#runs) {
      if (!this.#desired.has(key)) for (const run of runs) this.#stopRun(key, run);
    }
    for (const [key, desired] of this.#desired) {
      const runs = this.#runs.get(key) ?? [];
      const running = runs.map(({ pod, status, isStopping }) => ({
        name: pod.name,
        revision: pod.revision,
        ready: status.ready,
        stopping: isStopping,
      }));
      const step = planRollout(desired, running);
      for (const pod of step.start) runs.push(new PodRun(pod, this.#surroundings()));
      this.#runs.set(key, runs);
      for (const run of runs) if (step.stop.includes(run.pod.name)) this.#stopRun(key, run);
    }
    this.#options.onPods?.(this.pods);
  }

  #stopRun(key: string, run: PodRun): void {
    if (run.isStopping) return;
    void run.stop().then(() => {
      const left = (this.#runs.get(key) ?? []).filter((other) => other !== run);
      if (left.length === 0 && !this.#desired.has(key)) this.#runs.delete(key);
      else this.#runs.set(key, left);
      this.#dropOldLogs(run.pod.namespace);
      this.#plan();
    });
  }

  #dropOldLogs(namespace: string): void {
    const pods = this.#all().flatMap(({ pod }) => (pod.namespace === namespace ? [pod.name] : []));
    dropOldLogs(join(this.#options.stateDir, "logs", namespace), new Set(pods));
  }

  #surroundings(): PodSurroundings {
    const { sandboxes, agent, reports, ports, stateDir, resolver } = this.#options;
    return {
      sandboxes,
      agent,
      reports,
      ports,
      ...(resolver !== undefined && { resolver }),
      openLog: (pod) => new LogFile(join(stateDir, "logs", pod.namespace, `${pod.name}.log`)),
      volumes: (pod) => toPodVolumes(pod, this.#table),
      termination: ({ annotations }) => terminationOf(annotations, this.#table.meshConfig()?.defaultConfig),
      prepare: (pod, container, address) => this.#prepare(pod, container, address),
      onChange: () => this.#plan(),
    };
  }

  #prepare(
    pod: DesiredPod,
    container: DesiredPod["spec"]["containers"][number],
    address: string,
  ): ProcessCommand | { readonly missing: string } {
    const { baseEnv, folder, ports } = this.#options;
    const image = findImage(this.#options.images(), container.image ?? "");
    const portEnv = this.#portEnv(pod, container, image);
    const env = toContainerEnv(
      container,
      pod,
      address,
      { ...baseEnv, HOSTNAME: pod.name, ...image?.env },
      {
        configMap: (namespace, name) => this.#table.configMap(namespace, name),
        secret: (namespace, name) => this.#table.secret(namespace, name),
        services: this.#serviceVariables(pod, ports),
      },
    );
    const values = { ...env.values, ...portEnv };
    const command = toCommand(container, image, values, folder);
    if (command === undefined) return { missing: `image ${container.image ?? ""} has no command: add it to images in kumiko.yaml` };
    if (env.missing.length > 0) return { missing: env.missing.join("; ") };
    return { ...command, env: values };
  }

  /** Tells the program its ports where the image says how. */
  #portEnv(
    pod: DesiredPod,
    container: DesiredPod["spec"]["containers"][number],
    image: ImageCommand | undefined,
  ): Readonly<Record<string, string>> {
    const variables = [...portVariables(container, image)];
    return Object.fromEntries(variables.map(([declared, name]) => [name, String(this.#options.ports.appPort(pod, declared))]));
  }

  #serviceVariables(pod: DesiredPod, ports: PodPorts): Readonly<Record<string, string>> {
    const values: Record<string, string> = {};
    for (const { kind, metadata, body } of this.#table.all) {
      if (kind !== "Service" || metadata.namespace !== pod.namespace) continue;
      const { spec } = body as ServiceBody;
      const host = `${metadata.name}.${metadata.namespace}.svc.cluster.local`;
      const declared = (spec?.ports ?? []).map(({ name, port }) => ({ name: name ?? "", port }));
      Object.assign(
        values,
        serviceVariables({ name: metadata.name, ports: declared }, (port) => ports.service(pod, host, port)),
      );
    }
    return values;
  }

  #findProblems(): readonly Diagnostic[] {
    return [...this.#desired.values()].flatMap((workload) => {
      const pod = workload.pod(0);
      const { owner: resource, spec } = pod;
      const containers = pod.capture === "gateway" ? [] : [...(spec.initContainers ?? []), ...spec.containers];
      const { unsupported } = toPodVolumes(pod, this.#table);
      return [
        ...containers.flatMap((container) => findUnmapped(container, this.#options.images(), resource) ?? []),
        ...unsupported.map((what) => diagnostic("KMK1003", { message: `${what} is left out`, resource })),
      ];
    });
  }
}
