import { MeshError } from "../model/error.ts";
import { ContainerRun } from "./container-run.ts";
import type { LogFile } from "./log-file.ts";
import { bounded, pause } from "./pause.ts";
import { type Container, type DesiredPod, type PodStatus, toPodDocument } from "./pod.ts";
import { PodReporter } from "./pod-reporter.ts";
import type { PodSurroundings } from "./pod-surroundings.ts";
import { planDrain, waitUntilDrained } from "./proxy-drain.ts";
import { watchProxy } from "./proxy-watch.ts";
import { retry } from "./retry.ts";
import type { Sandbox } from "./sandbox.ts";

const RETRY_MS = 500;
/** What resolves by itself within the first seconds would look like a fault in the log. */
const QUIET_MS = 5000;
const INIT_LOOK_MS = 50;
const ENDPOINT_GONE_MS = 2000;
/** Control plane or agent may be gone already when everything ends. */
const ANSWER_MS = 3000;
/** Requests that are in when a mesh stops have this long with all of the mesh still there. */
const ENTRY_MS = 3000;
/** An Envoy that doesn't end by itself is killed by then. */
const PROXY_END_MS = 15_000;

/** What a pod that stops still waits for. */
export interface StopState {
  readonly waitsFor: "application" | "connections";
  /** Open requests and connections; 0 where that isn't known. */
  readonly open: number;
  readonly atMostMs: number;
}

/** One pod from its namespaces to its end: sandbox, proxy, containers, probes, and what is reported of them. */
export class PodRun {
  readonly pod: DesiredPod;
  readonly #around: PodSurroundings;
  readonly #log: LogFile;
  readonly #containers: ContainerRun[] = [];
  /** Init containers in their order; of these, sidecars run on beside the containers. */
  readonly #helpers: ContainerRun[] = [];
  readonly #retired = new AbortController();
  readonly #reporter: PodReporter;
  #sandbox: Sandbox | undefined;
  #putting: Promise<void> | undefined;
  #isPutDue = false;
  #proxyReady: boolean;
  #message = "starting";
  #starting: Promise<void>;
  #stopping: Promise<void> | undefined;
  #drainSince: number | undefined;
  #deadline = Number.POSITIVE_INFINITY;
  #waits: (Pick<StopState, "waitsFor"> & { readonly until: number }) | undefined;
  #withMesh = false;

  constructor(pod: DesiredPod, around: PodSurroundings) {
    this.pod = pod;
    this.#around = around;
    this.#log = around.openLog(pod);
    this.#proxyReady = pod.capture === "none";
    this.#reporter = new PodReporter(around.reports, () => toPodDocument(this.pod, this.status), this.#retired.signal);
    this.#starting = this.#start();
  }

  get isStopping(): boolean {
    return this.#retired.signal.aborted;
  }

  get status(): PodStatus {
    const { ports, address = "" } = { ports: this.#around.ports.of(this.pod), address: this.#sandbox?.address ?? "" };
    const waiting = [...this.#helpers, ...this.#containers].find((container) => !container.isReady && !container.isDone);
    const isStarted = this.#proxyReady && (this.#containers.length > 0 || this.pod.capture === "gateway");
    return {
      address,
      phase: isStarted ? "Running" : "Pending",
      ready: isStarted && waiting === undefined && !this.isStopping,
      message: this.isStopping ? "terminating" : (this.#proxyReady && waiting?.message) || (isStarted ? "" : this.#message),
      restarts: [...this.#helpers, ...this.#containers].reduce((sum, { restarts }) => sum + restarts, 0),
      terminating: this.isStopping,
      ...ports,
    };
  }

  /** Tells agent and control plane again: either may have started anew, or callable hosts have changed. */
  refresh(): void {
    this.#reporter.repeat();
    if (this.#sandbox !== undefined && !this.isStopping && this.pod.capture !== "none") void this.#putProxy(this.#sandbox);
  }

  /**
   * Ends the pod as Kubernetes does: its endpoint goes; its proxy sends clients away and serves on; preStop, SIGTERM, after the grace period
   * SIGKILL; and when the application has ended, its proxy ends.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.retire();
    this.#beginGrace();
    await bounded(this.#reporter.report(), ANSWER_MS);
    const gone = this.#around.reports.endpointGone?.(this.pod) ?? Promise.resolve();
    await bounded(gone, Math.min(ENDPOINT_GONE_MS, this.#graceMs / 2));
    await this.#starting;
    await this.#drain();
    await this.endApplication();
    await this.end();
  }

  /** Nothing of it starts any more. What runs goes on, until it ends by itself or with the whole mesh. */
  retire({ withMesh = false } = {}): void {
    this.#withMesh = withMesh;
    this.#retired.abort();
  }

  /**
   * Of a gateway that ends with the whole mesh: lets nobody in, and waits a moment for the requests that are in. What takes longer goes on until
   * its application ends it.
   */
  async closeEntry(): Promise<void> {
    await this.#starting;
    await this.#drain();
    await this.#waitForProxy(Math.min(ENTRY_MS, this.#graceMs));
  }

  /** preStop, SIGTERM, after the grace period SIGKILL. The grace period begins here unless it has begun. */
  async endApplication(): Promise<void> {
    await this.#starting;
    this.#beginGrace();
    this.#waits = { waitsFor: "application", until: this.#deadline };
    await Promise.all(this.#containers.map((container) => container.stop(this.#deadline)));
    for (const helper of this.#helpers.toReversed()) await helper.stop(this.#deadline);
    this.#waits = undefined;
  }

  /** Ends the proxy when nothing is open in it, or its time is over; then everything of the pod is gone. */
  async end(): Promise<void> {
    this.#beginGrace();
    if (this.pod.capture !== "none" && this.#sandbox !== undefined) {
      await this.#waitForProxy(this.#leftMs);
      await bounded(this.#around.agent.remove(this.pod), PROXY_END_MS);
    }
    await this.#sandbox?.remove();
    this.#around.ports.release(this.pod);
    this.#log.close();
    await this.#reporter.remove(this.pod);
    this.#around.onChange();
  }

  /** What it waits for, and what is open; undefined where it doesn't wait. */
  async readStopState(): Promise<StopState | undefined> {
    if (this.#waits === undefined) return undefined;
    const { waitsFor, until } = this.#waits;
    const open = this.pod.capture === "none" ? undefined : await this.#around.agent.openWork(this.pod).catch(() => undefined);
    return { waitsFor, open: open?.requests ?? 0, atMostMs: Math.max(0, until - performance.now()) };
  }

  async #drain(): Promise<void> {
    if (this.pod.capture === "none" || this.#sandbox === undefined) return;
    await bounded(this.#around.agent.drain(this.pod), ANSWER_MS);
    this.#drainSince = performance.now();
  }

  /** One that was never ready has nothing open. */
  async #waitForProxy(leftMs: number): Promise<void> {
    if (!this.#proxyReady) return;
    const now = performance.now();
    const state = {
      isGateway: this.pod.capture === "gateway",
      withMesh: this.#withMesh,
      drainedMs: now - (this.#drainSince ?? now),
      leftMs,
    };
    const plan = planDrain(this.#around.termination(this.pod), state);
    this.#waits = { waitsFor: "connections", until: now + plan.atMostMs };
    await waitUntilDrained(plan, () => this.#around.agent.openWork(this.pod));
    this.#waits = undefined;
  }

  #beginGrace(): void {
    if (this.#deadline === Number.POSITIVE_INFINITY) this.#deadline = performance.now() + this.#graceMs;
  }

  async #start(): Promise<void> {
    const sandbox = await this.#retry("network", () => this.#createSandbox());
    if (sandbox === undefined) return;
    this.#sandbox = sandbox;
    void this.#reporter.report();
    if (this.pod.capture !== "none") {
      await this.#putProxy(sandbox);
      this.#message = "waits for its proxy";
      await watchProxy({
        ready: () => this.#around.agent.ready(this.pod),
        signal: this.#retired.signal,
        onChange: (isReady) => this.#proxyChanged(isReady),
      });
    }
    if (this.isStopping || this.pod.capture === "gateway") return this.#changed();
    await this.#initialize(sandbox);
    if (this.isStopping) return this.#changed();
    for (const container of this.pod.spec.containers) this.#containers.push(this.#startContainer(container, sandbox));
    this.#changed();
  }

  /** One after another: each has to end well, or, where it runs on (`restartPolicy: Always`), to have started. */
  async #initialize(sandbox: Sandbox): Promise<void> {
    for (const container of this.pod.spec.initContainers ?? []) {
      const isSidecar = container.restartPolicy === "Always";
      const helper = this.#startContainer(container, sandbox, { runsOnce: !isSidecar });
      this.#helpers.push(helper);
      while (!this.isStopping && !(isSidecar ? helper.isStarted : helper.isDone)) await pause(INIT_LOOK_MS, this.#retired.signal);
      if (this.isStopping) return;
    }
  }

  #proxyChanged(isReady: boolean): void {
    this.#proxyReady = isReady;
    this.#message = isReady ? "" : "proxy isn't ready";
    this.#changed();
  }

  async #createSandbox(): Promise<Sandbox> {
    const volumes = this.#around.volumes(this.pod);
    if (volumes.missing.length > 0) throw new Error(volumes.missing.join("; "));
    return this.#around.sandboxes.create(this.pod, volumes.mounts);
  }

  #startContainer(container: Container, sandbox: Sandbox, { runsOnce = false } = {}): ContainerRun {
    return new ContainerRun({
      runsOnce,
      container,
      sandbox,
      log: this.#log,
      portOf: (declared) => this.#around.ports.appPort(this.pod, declared),
      prepare: () => this.#around.prepare(this.pod, container, sandbox.address),
      graceMs: this.#graceMs,
      onChange: () => this.#changed(),
    });
  }

  /** Tells the agent what the proxy is. What changes while that takes is told after it, once for all changes. */
  #putProxy(sandbox: Sandbox): Promise<void> {
    this.#isPutDue = true;
    this.#putting ??= this.#putWhileDue(sandbox).finally(() => (this.#putting = undefined));
    return this.#putting;
  }

  async #putWhileDue({ address, proxyLaunch }: Sandbox): Promise<void> {
    const { pod } = this;
    const { agent, ports, resolver } = this.#around;
    while (this.#isPutDue && !this.isStopping) {
      await this.#retry("proxy", () => {
        this.#isPutDue = false;
        return agent.put({
          type: pod.capture === "gateway" ? "router" : "sidecar",
          name: pod.name,
          namespace: pod.namespace,
          addresses: [address],
          labels: pod.labels,
          serviceAccount: pod.serviceAccount,
          cluster: "Kubernetes",
          network: "",
          locality: "",
          launch: proxyLaunch,
          ...ports.proxy(pod),
          ...(resolver !== undefined && { resolver }),
        });
      });
    }
  }

  get #leftMs(): number {
    return Math.max(0, this.#deadline - performance.now());
  }

  get #graceMs(): number {
    return Math.min(Math.max(0, this.pod.spec.terminationGracePeriodSeconds ?? 30), 3600) * 1000;
  }

  #changed(): void {
    void this.#reporter.report();
    this.#around.onChange();
  }

  /** Tries until it works or the pod stops; what failed is the pod's message meanwhile. */
  #retry<T>(what: "network" | "proxy", attempt: () => Promise<T>): Promise<T | undefined> {
    const since = performance.now();
    let logged = "";
    const onFailure = (thrown: unknown) => {
      const { code, message: reason } = MeshError.from(thrown);
      // The agent starts beside the first pods, and anew where it ended: no fault of a pod's, and nothing for its log.
      const waits = what === "proxy" && code === "network";
      const message = waits ? "waits for the agent" : `${what}: ${reason}`;
      if (!waits && message !== logged && performance.now() - since >= QUIET_MS) this.#log.write(`[kumiko] ${(logged = message)}\n`);
      this.#message = message;
      this.#changed();
    };
    return retry(attempt, { signal: this.#retired.signal, waitMs: RETRY_MS, onFailure });
  }
}
