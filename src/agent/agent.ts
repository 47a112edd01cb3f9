import { createHash } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { checkEnvoyVersion } from "./envoy-advisories.ts";
import { envoyVersion } from "./envoy-binary.ts";
import { type ControlActions, serveControl } from "./control.ts";
import type { ControlPlaneAddress } from "./control-plane.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { dropOldProxies } from "./old-proxies.ts";
import type { OpenWork } from "../model/open-work.ts";
import { makePrivateFolder, readJson, writePrivately } from "./private-files.ts";
import { isAlive, isProcessId, signalProcess } from "./process-id.ts";
import { fixedPart, type ProxySpec, readProxySpec } from "./proxy-spec.ts";
import { type AgentEvent, FORGOTTEN, type ProxyStatus, WorkloadProxy } from "./workload-proxy.ts";

export interface AgentOptions {
  /** Short folder for sockets: `agent.sock`, `p/<8 hex>/xds.sock`, `p/<8 hex>/admin.sock`. */
  readonly runDir: string;
  /** Folder for what is kept: one folder for each proxy. */
  readonly stateDir: string;
  readonly controlPlane: ControlPlaneAddress;
  readonly trustDomain: string;
  readonly envoyPath: string;
  /** Wanted life of a certificate; the CA's longest by default. */
  readonly certificateTtlMs?: number;
  /**
   * Names one start of the machine. An agent that finds proxies of the same generation goes on with them; those of another one belonged to
   * workloads that are gone: their Envoys are ended.
   */
  readonly generation?: string;
  readonly observe?: (event: AgentEvent) => void;
}

export interface Agent {
  /** The Unix socket of the control API. */
  readonly socket: string;
  /** Published vulnerabilities of the Envoy in use (KMK4002). */
  readonly diagnostics: readonly Diagnostic[];
  readonly proxies: ControlActions;
  /**
   * Ends the agent. Envoys go on for the next agent, unless `stopProxies`: then they are drained, for as long at most, and ended. With
   * `keepIdentities` their keys and configuration stay for the next agent all the same: a join token admits once, so that without them it
   * could not come back.
   */
  close(options?: { readonly stopProxies?: boolean; readonly drainMs?: number; readonly keepIdentities?: boolean }): Promise<void>;
}

interface KeptProxy {
  readonly generation: string;
  readonly spec: ProxySpec;
}

/** Starts the agent of this machine. @throws MeshError where Envoy does not run here or a folder is not ours. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  makePrivateFolder(options.runDir);
  makePrivateFolder(options.stateDir);
  const version = await envoyVersion(options.envoyPath);
  const proxies = new Proxies(options, version);
  await proxies.resume();
  const socket = join(options.runDir, "agent.sock");
  const server = await serveControl(socket, proxies);
  return {
    socket,
    diagnostics: checkEnvoyVersion(version, options.envoyPath),
    proxies,
    async close({ stopProxies = false, drainMs = 0, keepIdentities = false } = {}) {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await proxies.close(async (proxy) => {
        if (!stopProxies) return await proxy.release();
        if (drainMs > 0) await drainOut(proxy, drainMs);
        await (keepIdentities ? proxy.stop() : proxy.remove());
      });
    },
  };
}

/** The proxies of this machine by namespace and name. Changes of one proxy happen one after another. */
class Proxies implements ControlActions {
  readonly #options: AgentOptions;
  readonly #version: string;
  readonly #generation: string;
  readonly #proxies = new Map<string, WorkloadProxy>();
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: AgentOptions, version: string) {
    this.#options = options;
    this.#version = version;
    this.#generation = options.generation ?? "";
  }

  /** Goes on with the proxies of an earlier agent of the same generation, and clears away the others. */
  async resume(): Promise<void> {
    const folder = join(this.#options.stateDir, "proxies");
    makePrivateFolder(folder);
    for (const name of readdirSync(folder)) {
      const kept = readKept(join(folder, name, "spec.json"));
      if (kept?.generation === this.#generation) await this.#open(kept.spec);
      else clearAway(join(folder, name));
    }
    dropOldProxies(folder);
  }

  async put(spec: ProxySpec): Promise<ProxyStatus> {
    return await this.#inTurn(keyOf(spec.namespace, spec.name), async () => {
      const existing = this.#proxies.get(keyOf(spec.namespace, spec.name));
      const isKept = existing !== undefined && isSame(fixedPart(existing.spec), fixedPart(spec));
      if (isKept && existing.isStarted) {
        if (!isSame(existing.spec, spec)) this.#change(existing, spec);
        return existing.status;
      }
      // Envoy's node can't be changed while it runs.
      if (!isKept) await existing?.remove();
      return (await this.#open(spec)).status;
    });
  }

  async drain(namespace: string, name: string): Promise<boolean | undefined> {
    return await this.#proxies.get(keyOf(namespace, name))?.drain();
  }

  async readOpenWork(namespace: string, name: string): Promise<OpenWork | "unknown" | undefined> {
    const found = this.#proxies.get(keyOf(namespace, name));
    return found === undefined ? undefined : ((await found.readOpenWork()) ?? "unknown");
  }

  async remove(namespace: string, name: string): Promise<boolean> {
    return await this.#inTurn(keyOf(namespace, name), async () => {
      const found = this.#proxies.get(keyOf(namespace, name));
      await found?.remove();
      this.#proxies.delete(keyOf(namespace, name));
      dropOldProxies(join(this.#options.stateDir, "proxies"));
      return found !== undefined;
    });
  }

  list(): readonly ProxyStatus[] {
    return [...this.#proxies.values()].map((proxy) => proxy.status);
  }

  adminSocket(namespace: string, name: string): string | undefined {
    return this.#proxies.get(keyOf(namespace, name))?.adminSocket;
  }

  async close(end: (proxy: WorkloadProxy) => Promise<void>): Promise<void> {
    await Promise.allSettled(this.#turns.values());
    await Promise.allSettled([...this.#proxies.values()].map(end));
    this.#proxies.clear();
  }

  async #open(spec: ProxySpec): Promise<WorkloadProxy> {
    const { runDir } = this.#options;
    const key = keyOf(spec.namespace, spec.name);
    const folder = this.#folderOf(spec);
    const short = createHash("sha256").update(key).digest("hex").slice(0, 8);
    const proxy = new WorkloadProxy({
      spec,
      trustDomain: this.#options.trustDomain,
      runDir: join(runDir, "p", short),
      stateDir: folder,
      controlPlane: this.#options.controlPlane,
      envoyPath: this.#options.envoyPath,
      envoyVersion: this.#version,
      certificateTtlMs: this.#options.certificateTtlMs,
      observe: this.#options.observe ?? (() => {}),
    });
    this.#keep(spec);
    this.#proxies.set(key, proxy);
    try {
      await proxy.start();
    } catch (thrown) {
      // The next try begins anew.
      await proxy.release();
      throw thrown;
    }
    return proxy;
  }

  /** An agent that starts between the two steps goes on with the new one. */
  #change(proxy: WorkloadProxy, spec: ProxySpec): void {
    this.#keep(spec);
    proxy.change(spec);
  }

  #keep(spec: ProxySpec): void {
    writePrivately(join(this.#folderOf(spec), "spec.json"), JSON.stringify({ generation: this.#generation, spec } satisfies KeptProxy));
  }

  #folderOf({ namespace, name }: ProxySpec): string {
    return join(this.#options.stateDir, "proxies", `${namespace}_${name}`);
  }

  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#turns.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }
}

const LOOK_AGAIN_MS = 100;

/** Sends the clients of a proxy away, and waits until nothing is open in it, or the time is up. */
async function drainOut(proxy: WorkloadProxy, forMs: number): Promise<void> {
  if (!(await proxy.drain())) return;
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    const open = await proxy.readOpenWork();
    if (open === undefined || open.requests === 0) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** As they would be kept: a spec that was read back is the same although its fields are in another order. */
function isSame(one: ProxySpec, other: ProxySpec): boolean {
  const plain = (spec: ProxySpec): unknown => JSON.parse(JSON.stringify(spec));
  return isDeepStrictEqual(plain(one), plain(other));
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function readKept(file: string): KeptProxy | undefined {
  const kept = readJson(file) as { generation?: unknown; spec?: { namespace?: unknown; name?: unknown } } | undefined;
  try {
    const spec = readProxySpec(String(kept?.spec?.namespace), String(kept?.spec?.name), kept?.spec);
    return { generation: String(kept?.generation), spec };
  } catch {
    return undefined;
  }
}

/** Ends the Envoy of a workload that is gone. The log stays for a person to read. */
function clearAway(folder: string): void {
  const found = readJson(join(folder, "process.json"));
  if (isProcessId(found) && isAlive(found)) signalProcess(found, "SIGKILL");
  for (const file of FORGOTTEN) {
    rmSync(join(folder, file), { force: true });
  }
}
