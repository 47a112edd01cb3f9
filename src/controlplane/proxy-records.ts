import { type Diagnostic, diagnostic } from "../model/diagnostic.ts";
import type { Origin } from "../model/origin.ts";
import type { Proxy } from "../model/proxy.ts";
import { formatPosition, type SourcePosition } from "../model/position.ts";
import { formatDeclared } from "../model/resource.ts";
import type { ResourceType, Snapshot } from "../translate/envoy/resource.ts";
import type { XdsEvent } from "../xds/index.ts";

export interface ProxyRecord {
  readonly proxy: Proxy;
  /**
   * RFC 3339 time of the last ACK. A proxy that comes back to a control plane that has nothing new for it acknowledges nothing; then it is
   * the time at which it came.
   */
  readonly acknowledgedAt: string;
}

interface Nack {
  readonly proxy: Proxy;
  readonly type: ResourceType;
  readonly names: readonly string[];
  readonly message: string;
}

export interface ProxyRecordsOptions {
  readonly now: () => string;
  readonly snapshotFor: (proxy: Proxy) => Snapshot;
  readonly locate: (origin: Origin) => SourcePosition | undefined;
}

/** What is remembered of each proxy beyond its stream: who it was, when it last acknowledged, and what it refused. */
export class ProxyRecords {
  readonly #options: ProxyRecordsOptions;
  readonly #records = new Map<string, ProxyRecord>();
  /** How many streams a proxy has: one that comes back may be there before its last stream is seen to have ended. */
  readonly #streams = new Map<string, number>();
  readonly #nacks = new Map<string, Nack>();

  constructor(options: ProxyRecordsOptions) {
    this.#options = options;
  }

  observe(event: XdsEvent): void {
    if (event.kind === "rejected") return;
    const { proxy } = event;
    const key = `${proxy.namespace}/${proxy.name}`;
    switch (event.kind) {
      case "connected":
        this.#streams.set(key, (this.#streams.get(key) ?? 0) + 1);
        this.#records.set(key, { proxy, acknowledgedAt: this.#records.get(key)?.acknowledgedAt ?? this.#options.now() });
        break;
      case "ack":
        this.#records.set(key, { proxy, acknowledgedAt: this.#options.now() });
        this.#nacks.delete(`${key} ${event.type}`);
        break;
      case "nack":
        this.#nacks.set(`${key} ${event.type}`, {
          proxy,
          type: event.type,
          names: event.resources.map(({ name }) => name),
          message: event.message,
        });
        break;
      case "disconnected":
        this.#disconnected(key);
        break;
      default:
    }
  }

  /** The proxy has a stream. */
  isConnected({ namespace, name }: Pick<Proxy, "namespace" | "name">): boolean {
    return this.#streams.has(`${namespace}/${name}`);
  }

  find(namespace: string, name: string): ProxyRecord | undefined {
    return this.#records.get(`${namespace}/${name}`);
  }

  all(): readonly ProxyRecord[] {
    return [...this.#records.values()];
  }

  /** Each refusal, on the declared resource that the refused one came from (KMK4001). */
  diagnostics(): readonly Diagnostic[] {
    return [...this.#nacks.values()].map((nack) => this.#toDiagnostic(nack));
  }

  /** A line for the log: `proxy shop/web-1 refused route "80": … (routes.yaml:12)`. */
  describe(event: Extract<XdsEvent, { kind: "nack" }>): string {
    const names = event.resources.map(({ name }) => name);
    const origin = this.#originOf({ proxy: event.proxy, type: event.type, names, message: event.message });
    const position = origin === undefined ? undefined : this.#options.locate(origin);
    return `proxy ${event.proxy.namespace}/${event.proxy.name} refused ${event.type} ${names.join(", ")}: ${event.message}${position === undefined ? "" : ` (${formatPosition(position)})`}`;
  }

  #disconnected(key: string): void {
    const left = (this.#streams.get(key) ?? 1) - 1;
    if (left > 0) return void this.#streams.set(key, left);
    this.#streams.delete(key);
    for (const refused of [...this.#nacks.keys()]) if (refused.startsWith(`${key} `)) this.#nacks.delete(refused);
  }

  #toDiagnostic(nack: Nack): Diagnostic {
    const { proxy, type, names, message } = nack;
    const origin = this.#originOf(nack);
    const position = origin === undefined ? undefined : this.#options.locate(origin);
    return diagnostic("KMK4001", {
      message: `the proxy of ${proxy.namespace}/${proxy.name} refused ${type} ${names.join(", ")}${origin === undefined ? "" : `, made from ${formatDeclared(origin.ref)}`}: ${message}`,
      help: `kumiko proxy dump ${proxy.name} -n ${proxy.namespace}`,
      ...(origin !== undefined && { resource: origin.ref }),
      ...(position !== undefined && { position }),
    });
  }

  #originOf({ proxy, type, names }: Nack): Origin | undefined {
    const resources = this.#options.snapshotFor(proxy).get(type);
    for (const name of names) {
      const origins = resources?.get(name)?.origins;
      const [first] = origins?.get("") ?? [...(origins?.values() ?? [])][0] ?? [];
      if (first !== undefined) return first;
    }
    return undefined;
  }
}
