import type { Proxy } from "../model/proxy.ts";
import { ContainerRun } from "./container-run.ts";
import type { LogFile } from "./log-file.ts";
import { type DesiredPod, type PodDocument, type PodStatus, toPodDocument } from "./pod.ts";
import type { PodPorts } from "./pod-ports.ts";
import type { ProcessCommand } from "./workload-process.ts";
import type { Sandbox, Sandboxes } from "./sandbox.ts";
import type { PodVolumes } from "./volume.ts";

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

/** What the agent is told of one workload's proxy. */
export interface ProxyRequest extends Omit<Proxy, "id" | "version"> {
  /** Put before Envoy's command line, so that it runs in the workload's network namespace. */
  readonly launch: readonly string[];
  /** Resolver of the proxy, where it isn't the one of its /etc/resolv.conf: `127.0.0.1:PORT` in mode `ports`. */
  readonly resolver?: string;
}

/** The agent, as the runtime speaks to it. Rejections are tried again. */
export interface ProxyControl {
  put(request: ProxyRequest): Promise<void>;
  /** Drains the proxy for as long, then ends it; resolves when it is gone. */
  remove(ref: PodRef, drainSeconds: number): Promise<void>;
  /** The proxy runs and has its certificate and configuration. */
  ready(ref: PodRef): Promise<boolean>;
}

/** The control plane's list of pods. Rejections are tried again. */
export interface PodReports {
  reportPod(pod: PodDocument): Promise<void>;
  removePod(ref: PodRef): Promise<void>;
  /** Resolves when no proxy sends new requests to the pod any more, as far as that is known; bounded by the caller. */
  endpointGone?(ref: PodRef): Promise<void>;
}

export interface PodSurroundings {
  readonly sandboxes: Sandboxes;
  readonly agent: ProxyControl;
  readonly reports: PodReports;
  readonly ports: PodPorts;
  readonly resolver?: string;
  openLog(pod: DesiredPod): LogFile;
  volumes(pod: DesiredPod): PodVolumes;
  prepare(
    pod: DesiredPod,
    container: DesiredPod["spec"]["containers"][number],
    address: string,
  ): ProcessCommand | { readonly missing: string };
  readonly onChange: () => void;
}

const POLL_MS = 100;
const STEADY_POLL_MS = 1000;
const RETRY_MS = 500;
const ENDPOINT_GONE_MS = 2000;
/** Control plane or agent may be gone already when everything ends. */
const ANSWER_MS = 3000;
const REMOVE_ATTEMPTS = 3;

/** One pod from its namespaces to its end: sandbox, proxy, containers, probes, and what is reported of them. */
export class PodRun {
  readonly pod: DesiredPod;
  readonly #around: PodSurroundings;
  readonly #log: LogFile;
  readonly #containers: ContainerRun[] = [];
  readonly #stopped = new AbortController();
  #sandbox: Sandbox | undefined;
  #proxyReady: boolean;
  #message = "starting";
  #reported = "";
  #reporting: Promise<void> = Promise.resolve();
  #starting: Promise<void>;
  #stopping: Promise<void> | undefined;

  constructor(pod: DesiredPod, around: PodSurroundings) {
    this.pod = pod;
    this.#around = around;
    this.#log = around.openLog(pod);
    this.#proxyReady = pod.capture === "none";
    this.#starting = this.#start();
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  get status(): PodStatus {
    const { ports, address = "" } = { ports: this.#around.ports.of(this.pod), address: this.#sandbox?.address ?? "" };
    const waiting = this.#containers.find((container) => !container.isReady);
    const isStarted = this.#proxyReady && (this.#containers.length > 0 || this.pod.capture === "gateway");
    return {
      address,
      phase: isStarted ? "Running" : "Pending",
      ready: isStarted && waiting === undefined && !this.isStopping,
      message: isStarted ? (waiting?.message ?? "") : this.#message,
      restarts: this.#containers.reduce((sum, { restarts }) => sum + restarts, 0),
      terminating: this.isStopping,
      ...ports,
    };
  }

  /** Tells agent and control plane again: either may have started anew, or callable hosts have changed. */
  refresh(): void {
    this.#reported = "";
    this.#report();
    if (this.#sandbox !== undefined && !this.isStopping && this.pod.capture !== "none") void this.#putProxy(this.#sandbox);
  }

  /** Endpoint away, proxy drained, SIGTERM, SIGKILL after the grace period; then everything of the pod is gone. */
  stop(options: { readonly drainSeconds: number }): Promise<void> {
    this.#stopping ??= this.#stop(options.drainSeconds);
    return this.#stopping;
  }

  async #start(): Promise<void> {
    const sandbox = await this.#retry("network", () => this.#createSandbox());
    if (sandbox === undefined) return;
    this.#sandbox = sandbox;
    this.#report();
    if (this.pod.capture !== "none") {
      await this.#putProxy(sandbox);
      await this.#followProxy();
    }
    if (this.#stopped.signal.aborted || this.pod.capture === "gateway") return this.#changed();
    for (const container of this.pod.spec.containers) this.#containers.push(this.#startContainer(container, sandbox));
    this.#changed();
  }

  async #createSandbox(): Promise<Sandbox> {
    const volumes = this.#around.volumes(this.pod);
    if (volumes.missing.length > 0) throw new Error(volumes.missing.join("; "));
    return this.#around.sandboxes.create(this.pod, volumes.mounts);
  }

  #startContainer(container: DesiredPod["spec"]["containers"][number], sandbox: Sandbox): ContainerRun {
    return new ContainerRun({
      container,
      sandbox,
      log: this.#log,
      portOf: (declared) => this.#around.ports.appPort(this.pod, declared),
      prepare: () => this.#around.prepare(this.pod, container, sandbox.address),
      graceMs: this.#graceMs,
      onChange: () => this.#changed(),
    });
  }

  async #putProxy(sandbox: Sandbox): Promise<void> {
    const { pod } = this;
    const { ports, resolver } = this.#around;
    await this.#retry("proxy", () =>
      this.#around.agent.put({
        type: pod.capture === "gateway" ? "router" : "sidecar",
        name: pod.name,
        namespace: pod.namespace,
        addresses: [sandbox.address],
        labels: pod.labels,
        serviceAccount: pod.serviceAccount,
        cluster: "Kubernetes",
        network: "",
        locality: "",
        launch: sandbox.proxyLaunch,
        ...ports.proxy(pod),
        ...(resolver !== undefined && { resolver }),
      }),
    );
  }

  /** Resolves when the proxy is ready for the first time; goes on watching it in the background. */
  #followProxy(): Promise<void> {
    return new Promise((resolve) => {
      const ask = async () => {
        if (this.#stopped.signal.aborted) return resolve();
        // An agent that is away says nothing of its Envoys, which go on without it.
        const isReady = await this.#around.agent.ready(this.pod).catch(() => this.#proxyReady);
        if (isReady !== this.#proxyReady && !this.isStopping) {
          this.#proxyReady = isReady;
          this.#message = isReady ? "" : "proxy isn't ready";
          this.#changed();
        }
        if (isReady) resolve();
        const timer = setTimeout(() => void ask(), isReady ? STEADY_POLL_MS : POLL_MS);
        this.#stopped.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
      };
      this.#message = "waits for its proxy";
      void ask();
    });
  }

  async #stop(drainSeconds: number): Promise<void> {
    const { agent, reports } = this.#around;
    this.#report();
    await bounded(this.#reporting, ANSWER_MS);
    await bounded(reports.endpointGone?.(this.pod) ?? Promise.resolve(), ENDPOINT_GONE_MS);
    this.#stopped.abort();
    await this.#starting;
    if (this.pod.capture !== "none") await bounded(agent.remove(this.pod, drainSeconds), drainSeconds * 1000 + ANSWER_MS);
    await Promise.all(this.#containers.map((container) => container.stop(this.#graceMs)));
    await this.#sandbox?.remove();
    this.#around.ports.release(this.pod);
    this.#log.close();
    await this.#removeReport();
    this.#around.onChange();
  }

  /** A pod that stays listed would stay an endpoint that is not ready: worth a few attempts, but not the end of the program. */
  async #removeReport(): Promise<void> {
    for (let attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
      const removed = this.#around.reports.removePod(this.pod).then(
        () => true,
        () => false,
      );
      if (await removed) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  get #graceMs(): number {
    return Math.min(Math.max(0, this.pod.spec.terminationGracePeriodSeconds ?? 30), 3600) * 1000;
  }

  #changed(): void {
    this.#report();
    this.#around.onChange();
  }

  /** Sends the newest state, one report after another; a state that changed meanwhile replaces the one that waits. */
  #report(): void {
    this.#reporting = this.#reporting.then(async () => {
      const document = toPodDocument(this.pod, this.status);
      const text = JSON.stringify(document);
      if (text === this.#reported) return;
      try {
        await this.#around.reports.reportPod(document);
        this.#reported = text;
      } catch {
        if (!this.#stopped.signal.aborted && !this.isStopping) setTimeout(() => this.#report(), RETRY_MS);
      }
    });
  }

  /** Tries until it works or the pod stops; what failed is the pod's message meanwhile. */
  async #retry<T>(what: string, attempt: () => Promise<T>): Promise<T | undefined> {
    while (!this.#stopped.signal.aborted) {
      try {
        return await attempt();
      } catch (thrown) {
        const message = `${what}: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
        if (message !== this.#message) this.#log.write(`[kumiko] ${message}\n`);
        this.#message = message;
        this.#changed();
        await bounded(
          new Promise<void>((resolve) => this.#stopped.signal.addEventListener("abort", () => resolve(), { once: true })),
          RETRY_MS,
        );
      }
    }
    return undefined;
  }
}

/** Waits for a promise, but no longer than this; a rejection counts as done. */
async function bounded(promise: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([promise.catch(() => {}), limit]);
  clearTimeout(timer);
}
