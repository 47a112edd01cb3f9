import { chmodSync } from "node:fs";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { MeshError } from "../../../model/error.ts";
import type { Proxy } from "../../../model/proxy.ts";
import type { EnvoyResource, Snapshot } from "../../../translate/envoy/resource.ts";
import {
  createGrpcServer,
  createXdsService,
  type ProxyStatus,
  type TypeStatus,
  type XdsEvent,
  type XdsService,
} from "../../../xds/index.ts";
import { withAccessLog } from "./access-log.ts";
import type { Unready } from "./envoy-state.ts";
import { Refusals } from "./refusals.ts";
import { Wake } from "./wake.ts";

/** One proxy of a mesh, as its control plane serves it. */
export interface ServedProxy {
  readonly proxy: Proxy;
  /** Its certificate and roots, which elsewhere the agent answers. */
  readonly secrets: readonly EnvoyResource[];
}

/** Serves what `snapshotFor` gives to the proxies of one mesh, on a Unix socket of its own, with access logs and certificates added. */
export class LabControlPlane {
  readonly #xds: XdsService;
  readonly #server: Server;
  readonly #served: ReadonlyMap<string, ServedProxy>;
  readonly #logged = new WeakMap<EnvoyResource, EnvoyResource>();
  readonly #whole = new Map<string, { readonly from: Snapshot; readonly to: Snapshot }>();
  readonly #wake = new Wake();
  #snapshotFor: (proxy: Proxy) => Snapshot;
  readonly #refusals = new Refusals();
  #problem: MeshError | undefined;
  #isWaking = false;

  private constructor(served: readonly ServedProxy[], snapshotFor: (proxy: Proxy) => Snapshot) {
    this.#served = new Map(served.map((one) => [keyOf(one.proxy), one]));
    this.#snapshotFor = snapshotFor;
    this.#xds = createXdsService({
      snapshotFor: (proxy) => this.#snapshotOf(proxy),
      admit: (_peer, proxy) => (this.#served.has(keyOf(proxy)) ? proxy : "it is no proxy of this mesh"),
      observe: (event) => this.#observe(event),
    });
    this.#server = createGrpcServer();
    this.#xds.register(this.#server, "unix");
  }

  /** @throws MeshError `io` where the socket can't be made. */
  static async start(socket: string, served: readonly ServedProxy[], snapshotFor: (proxy: Proxy) => Snapshot): Promise<LabControlPlane> {
    const controlPlane = new LabControlPlane(served, snapshotFor);
    await new Promise<void>((resolve, reject) => {
      controlPlane.#server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(new MeshError("io", `can't listen on ${socket}: ${error.message}`, { cause: error }));
      });
    });
    chmodSync(socket, 0o600);
    return controlPlane;
  }

  /** Sends what the function gives from now on. Gives the proxies for which that is something else. */
  push(snapshotFor: (proxy: Proxy) => Snapshot): readonly Proxy[] {
    this.#problem = undefined;
    this.#snapshotFor = snapshotFor;
    const proxies = [...this.#served.values()].map(({ proxy }) => proxy);
    const changed = proxies.filter((proxy) => this.#whole.get(keyOf(proxy))?.to !== this.#snapshotOf(proxy));
    if (changed.length > 0) this.#xds.push();
    return changed;
  }

  /**
   * Resolves when these proxies have acknowledged all that there is for them. They may not serve it yet: a listener warms up after it was
   * acknowledged. @throws MeshError where one refuses something, or the time is over.
   */
  async acknowledged(proxies: readonly Proxy[], deadlineMs: number): Promise<void> {
    const wanted = new Set(proxies.map(keyOf));
    for (;;) {
      const statuses = this.#xds.status().filter(({ proxy }) => wanted.has(keyOf(proxy)));
      const problem = this.#problem ?? this.#findRefusal(statuses);
      if (problem !== undefined) throw problem;
      const done = new Set(statuses.filter(isDone).map(({ proxy }) => keyOf(proxy)));
      const behind = [...wanted].filter((key) => !done.has(key));
      if (behind.length === 0) return;
      if (performance.now() >= deadlineMs) throw new MeshError("timeout", `no answer in time from the Envoy of ${behind.join(", ")}`);
      await this.#wake.next(deadlineMs - performance.now());
    }
  }

  close(): void {
    this.#xds.close();
    this.#server.forceShutdown();
  }

  #findRefusal(statuses: readonly ProxyStatus[]): MeshError | undefined {
    for (const status of statuses) {
      const refusal = this.#refusals.find(status, this.#whole.get(keyOf(status.proxy))?.to);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** What waits for Secrets that this proxy doesn't have, or doesn't take. */
  unready(proxy: Proxy): Unready {
    const whole = this.#whole.get(keyOf(proxy))?.to;
    const status = this.#xds.status().find((one) => keyOf(one.proxy) === keyOf(proxy));
    const refused = status?.types.find(({ type }) => type === "secret")?.refused.map(({ name }) => name) ?? [];
    const isThere = (name: string) => whole?.get("secret")?.has(name) === true && !refused.includes(name);
    const count = (type: "listener" | "cluster") =>
      [...(whole?.get(type)?.values() ?? [])].filter(({ references }) => references.some((to) => to.type === "secret" && !isThere(to.name)))
        .length;
    return { listeners: count("listener"), clusters: count("cluster") };
  }

  #observe(event: XdsEvent): void {
    if (event.kind === "nack") this.#refusals.note(event);
    const what = describeProblem(event);
    if (what !== undefined) this.#problem ??= new MeshError("protocol", what);
    if (this.#isWaking) return;
    this.#isWaking = true;
    // The stream's state is brought up to date after its event; many come at a time.
    setImmediate(() => {
      this.#isWaking = false;
      this.#wake.all();
    });
  }

  /** The same object for the same snapshot: what is equal is not sent again. */
  #snapshotOf(proxy: Proxy): Snapshot {
    const key = keyOf(proxy);
    const served = this.#served.get(key);
    if (served === undefined) throw new MeshError("bug", `${key} is no proxy of this mesh`);
    const from = this.#snapshotFor(served.proxy);
    const known = this.#whole.get(key);
    if (known?.from === from) return known.to;
    const to = this.#complete(from, served);
    this.#whole.set(key, { from, to });
    return to;
  }

  #complete(snapshot: Snapshot, { proxy, secrets }: ServedProxy): Snapshot {
    const listeners = [...(snapshot.get("listener") ?? [])].map(([name, listener]) => [name, this.#withLog(listener, proxy)] as const);
    const own = secrets.map((secret) => [secret.name, secret] as const);
    return new Map([...snapshot, ["listener", new Map(listeners)], ["secret", new Map([...(snapshot.get("secret") ?? []), ...own])]]);
  }

  #withLog(listener: EnvoyResource, { type }: Proxy): EnvoyResource {
    const known = this.#logged.get(listener);
    if (known !== undefined) return known;
    const logged = withAccessLog(listener, type);
    this.#logged.set(listener, logged);
    return logged;
  }
}

function keyOf({ namespace, name }: Pick<Proxy, "namespace" | "name">): string {
  return `${namespace}/${name}`;
}

/** Clusters and listeners are asked for in every case; what they name is asked for as soon as they are there. */
function isDone({ types }: ProxyStatus): boolean {
  const isAsked = (wanted: string) => types.some(({ type }) => type === wanted);
  const isAnswered = ({ type, isSynced, refused }: TypeStatus) => isSynced || (type === "secret" && refused.length > 0);
  return isAsked("cluster") && isAsked("listener") && types.every(isAnswered);
}

function describeProblem(event: XdsEvent): string | undefined {
  const at = "proxy" in event ? `the Envoy of ${keyOf(event.proxy)}` : "an Envoy";
  switch (event.kind) {
    case "dangling":
      return `${at} can't be sent what names ${event.dangling.map(({ to }) => `${to.type} ${to.name}`).join(", ")}, which isn't there`;
    case "failed":
      return MeshError.from(event.error).message;
    case "rejected":
      return `an Envoy was turned away: ${event.reason}`;
    default:
      return undefined;
  }
}
