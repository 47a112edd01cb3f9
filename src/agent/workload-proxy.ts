import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { formatIdentity } from "../model/identity.ts";
import { makeBootstrap, nodeId, nodeMetadata } from "./bootstrap.ts";
import { type ControlPlaneAddress, type ControlPlaneLink, createLink } from "./control-plane.ts";
import { EnvoyProcess } from "./envoy-process.ts";
import { WorkloadKeys } from "./keys.ts";
import type { OpenWork } from "../model/open-work.ts";
import { makePrivateFolder, writePrivately } from "./private-files.ts";
import { identityOfProxy, type ProxySpec } from "./proxy-spec.ts";
import { type Relay, type RelayEvent, startRelay } from "./relay.ts";
import { CertificateSecrets } from "./sds.ts";

export interface WorkloadProxySettings {
  readonly spec: ProxySpec;
  readonly trustDomain: string;
  /** 0700, for sockets; short. */
  readonly runDir: string;
  /** 0700, for what is kept: key, last good configuration, log. */
  readonly stateDir: string;
  readonly controlPlane: ControlPlaneAddress;
  readonly envoyPath: string;
  readonly envoyVersion: string;
  readonly certificateTtlMs: number | undefined;
  readonly observe: (event: AgentEvent) => void;
}

/** What a person or a log wants to know; holds no secret. */
export interface AgentEvent {
  readonly proxy: string;
  readonly kind: "ready" | "not-ready" | "certificate" | "alarm" | "relay" | "adopted";
  readonly detail?: string;
}

/** One line of `GET /proxies`. Times are RFC 3339. */
export interface ProxyStatus {
  readonly namespace: string;
  readonly name: string;
  readonly ready: boolean;
  readonly stale: boolean;
  readonly draining: boolean;
  readonly envoy: { readonly pid?: number; readonly version: string; readonly restarts: number; readonly live: boolean };
  readonly certificate: { readonly identity: string; readonly notBefore?: string; readonly notAfter?: string };
  readonly connected: boolean;
  readonly acknowledged: boolean;
  readonly lastError?: string;
}

const SIDECAR_CONNECTIONS = 10_000;
const GATEWAY_CONNECTIONS = 50_000;

/** Files of a workload that go with it; its log stays for a person to read. */
export const FORGOTTEN: readonly string[] = ["identity.json", "process.json", "spec.json", "bootstrap.json", "configuration.cache"];

/** All that belongs to one workload: its keys, its secrets, its relay, its Envoy. */
export class WorkloadProxy {
  readonly adminSocket: string;
  #spec: ProxySpec;
  readonly #settings: WorkloadProxySettings;
  readonly #keys: WorkloadKeys;
  readonly #secrets: CertificateSecrets;
  readonly #link: ControlPlaneLink;
  readonly #envoy: EnvoyProcess;
  #relay: Relay | undefined;
  #isStarted = false;
  #isDraining = false;
  #isClosed = false;
  #wasReady = false;
  #saidRefusal: string | undefined;
  #configuredPid: number | undefined;

  constructor(settings: WorkloadProxySettings) {
    const { spec, runDir, stateDir, trustDomain } = settings;
    this.#spec = spec;
    this.#settings = settings;
    this.adminSocket = join(runDir, "admin.sock");
    const identity = identityOfProxy(spec, trustDomain);
    const certificate = () => this.#keys.current;
    const ttl = settings.certificateTtlMs === undefined ? {} : { ttlMs: settings.certificateTtlMs };
    // Before any folder: what is no token throws here.
    this.#link = createLink({ controlPlane: settings.controlPlane, identity, certificate, ...ttl });
    makePrivateFolder(runDir);
    makePrivateFolder(stateDir);
    this.#secrets = new CertificateSecrets(certificate);
    this.#keys = new WorkloadKeys({
      identity,
      file: join(stateDir, "identity.json"),
      sign: (csr) => this.#link.sign(csr),
      ...("socket" in settings.controlPlane && { longestRetryMs: this.#link.longestWaitMs }),
      pinnedRootsPem: () => this.#link.rootsPem(),
      onChange: () => this.#certificateChanged(),
      onAlarm: (reason) => this.#observe("alarm", `the certificate can't be renewed: ${reason}`),
    });
    this.#envoy = new EnvoyProcess({
      envoyPath: settings.envoyPath,
      launch: spec.launch,
      bootstrapFile: join(stateDir, "bootstrap.json"),
      logFile: join(stateDir, "envoy.log"),
      processFile: join(stateDir, "process.json"),
      adminSocket: this.adminSocket,
      onChange: () => this.#noteReadiness(),
    });
  }

  get spec(): ProxySpec {
    return this.#spec;
  }

  /** Takes a spec whose fixed part is the same: the control plane hears of it, Envoy only of what follows. @see fixedPart */
  change(spec: ProxySpec): void {
    this.#spec = spec;
    this.#relay?.setNodeMetadata(nodeMetadata(spec));
  }

  /** Adopts a running Envoy, else starts one as soon as there is a certificate. */
  async start(): Promise<void> {
    const { spec } = this;
    const { runDir, stateDir } = this.#settings;
    const socketPath = join(runDir, "xds.sock");
    const maxConnections = Math.min(spec.type === "router" ? GATEWAY_CONNECTIONS : SIDECAR_CONNECTIONS, Math.floor(fileLimit() / 2));
    const bootstrap = makeBootstrap({ spec, xdsSocket: socketPath, adminSocket: this.adminSocket, maxConnections });
    writePrivately(join(stateDir, "bootstrap.json"), JSON.stringify(bootstrap));
    if (await this.#envoy.adopt()) {
      this.#configuredPid = this.#envoy.state.pid;
      this.#observe("adopted", `pid ${this.#configuredPid}`);
    }
    this.#keys.start();
    this.#relay = await startRelay({
      socketPath,
      upstream: this.#link,
      node: nodeId(spec),
      nodeMetadata: nodeMetadata(spec),
      secrets: this.#secrets,
      mayServeStale: () => this.#keys.current !== undefined,
      cacheFile: join(stateDir, "configuration.cache"),
      observe: (event) => this.#relayEvent(event),
    });
    this.#isStarted = true;
    this.#startEnvoy();
  }

  /** Its start came to its end; where it didn't, it does nothing any more. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Leaves Envoy running for the next agent. */
  async release(): Promise<void> {
    this.#isClosed = true;
    this.#envoy.release();
    this.#keys.close();
    await this.#relay?.close();
  }

  /** Sends clients away, and goes on serving: those that stay, and the application's own calls. False where Envoy doesn't answer. */
  async drain(): Promise<boolean> {
    this.#isDraining = true;
    return await this.#envoy.drain({ inboundOnly: this.spec.type === "sidecar" });
  }

  /** What is open in its Envoy; undefined where it doesn't answer. */
  readOpenWork(): Promise<OpenWork | undefined> {
    return this.#envoy.readOpenWork();
  }

  /** Ends Envoy; the key and the configuration stay. */
  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#isClosed = true;
    await this.#envoy.stop();
    this.#keys.close();
    await this.#relay?.close();
    rmSync(this.#settings.runDir, { recursive: true, force: true });
  }

  /** As `stop`, then forgets the workload: its key too. */
  async remove(): Promise<void> {
    await this.stop();
    for (const file of FORGOTTEN) {
      rmSync(join(this.#settings.stateDir, file), { force: true });
    }
  }

  get status(): ProxyStatus {
    const { spec } = this;
    const { envoyVersion, trustDomain } = this.#settings;
    const envoy = this.#envoy.state;
    const relay = this.#relay?.status();
    const certificate = this.#keys.current;
    const error = this.#keys.lastError ?? relay?.lastError ?? (envoy.isLive ? undefined : envoy.lastError);
    return {
      namespace: spec.namespace,
      name: spec.name,
      ready: this.#isReady,
      stale: relay?.stale ?? false,
      draining: this.#isDraining,
      envoy: { ...(envoy.pid !== undefined && { pid: envoy.pid }), version: envoyVersion, restarts: envoy.restarts, live: envoy.isLive },
      certificate: {
        identity: formatIdentity(identityOfProxy(spec, trustDomain)),
        ...(certificate !== undefined && {
          notBefore: new Date(certificate.notBeforeMs).toISOString(),
          notAfter: new Date(certificate.notAfterMs).toISOString(),
        }),
      },
      connected: relay?.connected ?? false,
      acknowledged: relay?.acknowledged ?? false,
      ...(error !== undefined && { lastError: error }),
    };
  }

  get #isReady(): boolean {
    const { pid, isLive } = this.#envoy.state;
    // An Envoy that was adopted, or whose stream breaks, serves with the configuration that it has: not to be called unready meanwhile.
    const isConfigured = this.#relay?.status().acknowledged === true || (pid !== undefined && pid === this.#configuredPid);
    return isLive && isConfigured && this.#keys.current !== undefined && !this.#isDraining;
  }

  #relayEvent(event: RelayEvent): void {
    if (this.#relay?.status().acknowledged === true) this.#configuredPid = this.#envoy.state.pid;
    if (event.kind !== "ack") this.#observe("relay", "reason" in event ? `${event.kind}: ${event.reason}` : event.kind);
    this.#noteReadiness();
  }

  #certificateChanged(): void {
    const certificate = this.#keys.current;
    if (certificate !== undefined) this.#observe("certificate", `valid until ${new Date(certificate.notAfterMs).toISOString()}`);
    this.#secrets.changed();
    this.#startEnvoy();
    this.#noteReadiness();
  }

  /** Without a certificate there is no Envoy: what it would serve without one is nothing. */
  #startEnvoy(): void {
    if (this.#isClosed || this.#relay === undefined || this.#keys.current === undefined) return;
    this.#envoy.start();
  }

  #noteReadiness(): void {
    this.#noteRefusal();
    if (this.#isClosed || this.#isReady === this.#wasReady) return;
    this.#wasReady = this.#isReady;
    this.#observe(this.#wasReady ? "ready" : "not-ready", this.status.lastError);
  }

  /** Says why there is no certificate, each reason once. */
  #noteRefusal(): void {
    const reason = this.#keys.lastError;
    if (reason === this.#saidRefusal || this.#isClosed) return;
    this.#saidRefusal = reason;
    if (reason !== undefined) this.#observe("alarm", `no certificate: ${reason}`);
  }

  #observe(kind: AgentEvent["kind"], detail?: string): void {
    const proxy = `${this.spec.namespace}/${this.spec.name}`;
    this.#settings.observe({ proxy, kind, ...(detail !== undefined && { detail }) });
  }
}

/** How many files a child of this process may open. */
function fileLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return soft === undefined ? 65_536 : Number(soft);
  } catch {
    return 65_536;
  }
}
