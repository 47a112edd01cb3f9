import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { makeBootstrap } from "../../../agent/bootstrap.ts";
import type { ProxySpec } from "../../../agent/proxy-spec.ts";
import type { WorkloadRef } from "../../../evaluate/index.ts";
import { MeshError } from "../../../model/error.ts";
import type { Proxy } from "../../../model/proxy.ts";
import { OWN_APPLICATION_SOURCE } from "../../../model/pod-network.ts";
import { BRIDGE_ADDRESS, PROBE_ADDRESS, RELAY_RANGE } from "../../../runtime/network.ts";
import type { Arrival, ClientOrder, ClientReport, Exchange } from "../exchange.ts";
import type { LabMesh, LabPod, RunningMesh } from "../lab.ts";
import { LabControlPlane } from "./control-plane.ts";
import { untilServing } from "./envoy-state.ts";
import type { Identities } from "./identities.ts";
import type { LabProcess } from "./lab-process.ts";
import { LogBook } from "./log-book.ts";
import { EchoPrograms } from "./programs.ts";
import type { LabReport, PodPlan, ProgramId } from "./protocol.ts";

export interface MeshPlace {
  readonly number: number;
  /** Short and private. */
  readonly runDir: string;
  readonly process: LabProcess;
  readonly identities: Identities;
}

interface Placed extends Pick<LabMesh, "outside" | "names"> {
  readonly addresses: ReadonlySet<string>;
}

const OPEN_MS = 60_000;
const UPDATE_MS = 15_000;
/** How long lines of a log may take after the request that they are of. */
const LOG_MS = 2000;
/** Between two looks for what comes late. */
const LATE_MS = 20;
const MAX_CONNECTIONS = 10_000;

/** One mesh of a lab, from the parent's side. */
export class LabRunningMesh implements RunningMesh {
  readonly #mesh: LabMesh;
  readonly #place: MeshPlace;
  readonly #onClose: () => void;
  readonly #programs: EchoPrograms;
  readonly #log: LogBook;
  readonly #byName: ReadonlyMap<string, number>;
  readonly #byAddress: ReadonlyMap<string, number>;
  readonly #opened = Promise.withResolvers<void>();
  readonly #interrupted = new Set<(error: MeshError) => void>();
  readonly #closed = Promise.withResolvers<void>();
  /** What the program outside was told last; addresses stay. */
  #placed: Placed = { addresses: new Set(), names: {}, outside: [] };
  #controlPlane: LabControlPlane | undefined;
  #failure: MeshError | undefined;
  #closing: Promise<void> | undefined;

  constructor(mesh: LabMesh, place: MeshPlace, onClose: () => void) {
    this.#mesh = mesh;
    this.#place = place;
    this.#onClose = onClose;
    this.#programs = new EchoPrograms((program, line) => place.process.order({ kind: "tell", mesh: place.number, program, line }));
    this.#log = new LogBook(mesh.pods.map(({ workload, address, proxy }) => ({ workload, address, hasProxy: proxy !== undefined })));
    this.#byName = new Map(mesh.pods.map(({ workload: { namespace, name } }, i) => [`${namespace}/${name}`, i]));
    this.#byAddress = new Map(mesh.pods.map(({ address }, i) => [address, i]));
  }

  async open(): Promise<void> {
    const { process, number } = this.#place;
    process.listen(number, (report) => this.#receive(report));
    try {
      const { pods, snapshotFor } = this.#mesh;
      const proxies = pods.flatMap(({ proxy }) => (proxy === undefined ? [] : [proxy]));
      const served = await Promise.all(proxies.map(async (proxy) => ({ proxy, secrets: await this.#secretsOf(proxy) })));
      this.#controlPlane = await LabControlPlane.start(this.#xdsSocket, served, (proxy) => snapshotFor.call(this.#mesh, proxy));
      const attemptsFolder = join(this.#place.runDir, "attempts");
      mkdirSync(attemptsFolder, { mode: 0o700 });
      process.order({ kind: "open", mesh: number, plan: { pods: pods.map((pod, i) => this.#plan(pod, i)), attemptsFolder } });
      await this.#orEnd(this.#opened.promise);
      const listening = pods.map((pod, i) => this.#programs.listen(i, pod.ports));
      await this.#orEnd(Promise.all([...listening, this.#startProxies(proxies)]));
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
  }

  async exchange(...[sender, orders, concurrency, isWhole]: Parameters<RunningMesh["exchange"]>): Promise<Exchange> {
    const from = sender === "outside" ? "outside" : this.#podOf(sender.workload);
    this.#log.clear(Date.now());
    const reports = await this.#orEnd(this.#send(from, orders, concurrency));
    const programs: ProgramId[] = [...this.#mesh.pods.keys(), "outside"];
    const arrivals = await this.#orEnd(this.#programs.takeArrivals(programs));
    const entered = countEach(orders.filter((_, i) => reports[i]?.kind !== "refused").map((order) => this.#entryOf(from, order)));
    const arrived = countEach(arrivals.map((arrival) => this.#loggedAt(arrival)));
    const deadlineMs = performance.now() + LOG_MS;
    const log = await this.#log.take({ entered, arrived }, deadlineMs);
    // What came in late, a mirrored request for one, is of this exchange, too.
    let seen: Exchange = { reports, arrivals: [...arrivals, ...(await this.#orEnd(this.#programs.takeArrivals(programs)))], log };
    while (isWhole?.(seen) === false && performance.now() < deadlineMs) {
      await setTimeout(LATE_MS);
      const late = await this.#orEnd(this.#programs.takeArrivals(programs));
      const lines = await this.#log.take({ entered: new Map(), arrived: new Map() }, 0);
      seen = { reports, arrivals: [...seen.arrivals, ...late], log: [...seen.log, ...lines] };
    }
    return seen;
  }

  async update(next: Pick<LabMesh, "snapshotFor" | "outside" | "names">): Promise<void> {
    // First: what a proxy can't resolve when it is told of it, it doesn't ask for again soon.
    await this.#orEnd(this.#setOutside(next));
    const changed = this.#controlPlane?.push((proxy) => next.snapshotFor(proxy)) ?? [];
    await this.#orEnd(this.#serving(changed, UPDATE_MS));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#fail(new MeshError("io", "the mesh is closed"));
    const { process, number, runDir } = this.#place;
    process.order({ kind: "close", mesh: number });
    await Promise.race([this.#closed.promise, process.ended]);
    this.#controlPlane?.close();
    process.forget(number);
    rmSync(runDir, { recursive: true, force: true });
    this.#onClose();
  }

  async #startProxies(proxies: readonly Proxy[]): Promise<void> {
    const outside = this.#setOutside(this.#mesh);
    // A proxy that asks for a name too early asks again much later only.
    if (Object.keys(this.#mesh.names).length > 0) await outside;
    this.#place.process.order({ kind: "start", mesh: this.#place.number });
    await Promise.all([outside, this.#serving(proxies, OPEN_MS)]);
  }

  get #xdsSocket(): string {
    return join(this.#place.runDir, "xds.sock");
  }

  #adminSocket(pod: number): string {
    return join(this.#place.runDir, `a${pod}.sock`);
  }

  #plan({ address, role, proxy }: LabPod, pod: number): PodPlan {
    if (proxy === undefined) return { address, role };
    const bootstrapFile = join(this.#place.runDir, `b${pod}.json`);
    const spec: ProxySpec = { ...proxy, launch: [], resolver: `${BRIDGE_ADDRESS}:53` };
    const sockets = { xdsSocket: this.#xdsSocket, adminSocket: this.#adminSocket(pod) };
    writeFileSync(bootstrapFile, JSON.stringify(makeBootstrap({ spec, ...sockets, maxConnections: MAX_CONNECTIONS })), { mode: 0o600 });
    return { address, role, bootstrapFile };
  }

  #secretsOf({ namespace, serviceAccount }: Proxy) {
    const { trustDomain, clientRootPem } = this.#mesh;
    return this.#place.identities.secretsOf({ trustDomain, namespace, serviceAccount }, clientRootPem);
  }

  async #setOutside({ outside, names }: Pick<LabMesh, "outside" | "names">): Promise<void> {
    const addresses = new Set([...this.#mesh.clients, ...outside.map(({ address }) => address ?? "")].filter(needsPlace));
    const fresh = [...addresses].filter((address) => !this.#placed.addresses.has(address));
    if (fresh.length > 0 || !isDeepStrictEqual(names, this.#placed.names)) await this.#programs.placeOutside({ addresses: fresh, names });
    if (!isDeepStrictEqual(outside, this.#placed.outside)) await this.#programs.listen("outside", outside);
    this.#placed = { addresses: new Set([...this.#placed.addresses, ...addresses]), names, outside };
  }

  async #serving(proxies: readonly Proxy[], withinMs: number): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    const pods = proxies.map((proxy) => this.#mesh.pods.findIndex((pod) => pod.proxy === proxy));
    // A listener that warms up asks for more, which has to be acknowledged, too.
    for (let rounds = 0; rounds < 2; rounds++) {
      await this.#controlPlane?.acknowledged(proxies, deadlineMs);
      await Promise.all(proxies.map((proxy, i) => this.#untilServing(proxy, pods[i] ?? 0, deadlineMs)));
    }
  }

  async #untilServing(proxy: Proxy, pod: number, deadlineMs: number): Promise<void> {
    const unready = this.#controlPlane?.unready(proxy) ?? { listeners: 0, clusters: 0 };
    await untilServing(this.#adminSocket(pod), `${proxy.namespace}/${proxy.name}`, unready, deadlineMs);
  }

  async #send(from: ProgramId, orders: readonly ClientOrder[], concurrency: number): Promise<readonly ClientReport[]> {
    const reports: ClientReport[] = [];
    let next = 0;
    const client = async () => {
      for (let i = next++; i < orders.length; i = next++) reports[i] = await this.#programs.send(from, orders[i] as ClientOrder);
    };
    await Promise.all(Array.from({ length: Math.max(1, Math.min(concurrency, orders.length)) }, client));
    return reports;
  }

  /** The pod whose proxy a request meets first: the sender's, else that of where it goes. */
  #entryOf(from: ProgramId, { destination: { address }, localAddress }: ClientOrder): number | undefined {
    if (localAddress === PROBE_ADDRESS) return undefined;
    const pod = from === "outside" ? undefined : this.#mesh.pods[from];
    if (pod?.proxy === undefined) return this.#byAddress.get(address);
    // The pod's rules lead what is its own past its proxy.
    return address === pod.address || address.startsWith("127.") ? undefined : (from as number);
  }

  /** The pod whose proxy has logged an arrival, or will: a sidecar speaks to its application from an address that nobody else has. */
  #loggedAt({ at, peerAddress }: Arrival): number | undefined {
    const pod = this.#podAt(at);
    return pod !== undefined && this.#mesh.pods[pod]?.proxy !== undefined && peerAddress === OWN_APPLICATION_SOURCE ? pod : undefined;
  }

  #podOf({ namespace, name }: WorkloadRef): number {
    const pod = this.#podAt(`${namespace}/${name}`);
    if (pod === undefined) throw new MeshError("bug", `no pod of ${namespace}/${name} runs in this mesh`);
    return pod;
  }

  #podAt(name: string): number | undefined {
    return this.#byName.get(name);
  }

  #receive(report: LabReport): void {
    switch (report.kind) {
      case "opened":
        return this.#opened.resolve();
      case "failed":
        return this.#fail(new MeshError("io", report.message));
      case "said":
        return this.#programs.receive(report.line);
      case "log":
        return this.#log.add(report.pod, report.line);
      case "ended":
        return this.#fail(new MeshError("io", `the ${report.what} ${this.#nameOf(report.program)} ended: ${report.how}`));
      case "closed":
        return this.#closed.resolve();
    }
  }

  #nameOf(program: ProgramId): string {
    const workload = program === "outside" ? undefined : this.#mesh.pods[program]?.workload;
    return workload === undefined ? "for all outside" : `of ${workload.namespace}/${workload.name}`;
  }

  #fail(error: MeshError): void {
    this.#failure ??= error;
    this.#programs.fail(error);
    for (const reject of this.#interrupted) reject(error);
  }

  /** Waits for work no longer than all that takes part in it runs. */
  async #orEnd<T>(work: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#failure !== undefined) reject(this.#failure);
    this.#interrupted.add(reject);
    work.then(resolve, reject);
    try {
      return await promise;
    } finally {
      this.#interrupted.delete(reject);
    }
  }
}

function countEach(pods: readonly (number | undefined)[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const pod of pods) if (pod !== undefined) counts.set(pod, (counts.get(pod) ?? 0) + 1);
  return counts;
}

/** The bridge's own address and the relay's range are there from the start. */
function needsPlace(address: string): boolean {
  return address !== "" && address !== BRIDGE_ADDRESS && !address.startsWith(`${RELAY_RANGE}.`) && !address.startsWith("127.");
}
