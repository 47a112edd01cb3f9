import { type Finding, toDiagnostics } from "../mesh/index.ts";
import { type Diagnostic, formatDiagnostic, summariseNotes } from "../model/diagnostic.ts";
import type { Origin } from "../model/origin.ts";
import type { Proxy } from "../model/proxy.ts";
import type { SourcePosition } from "../model/position.ts";
import { createTranslator, type Snapshot } from "../translate/index.ts";
import type { XdsEvent } from "../xds/index.ts";
import { ProxyRecords } from "./proxy-records.ts";
import type { MeshSettingsOptions } from "../mesh/index.ts";
import { findHeld, type Input, type InputName, type World, WorldKeeper } from "./world.ts";

export interface LiveMeshOptions extends MeshSettingsOptions {
  /** The content of some resource changed. */
  readonly onChange: (world: World) => void;
  /** One line for the log. */
  readonly say: (line: string) => void;
}

/** The mesh as it is now: what the sources declare, what translation makes of it for each proxy, and what the proxies said to it. */
export class LiveMesh {
  readonly records: ProxyRecords;
  readonly #options: LiveMeshOptions;
  readonly #keeper: WorldKeeper;
  readonly #translator = createTranslator();
  readonly #problems = new Map<string, readonly Finding[]>();
  #said = new Set<string>();

  constructor(options: LiveMeshOptions) {
    this.#options = options;
    this.#keeper = new WorldKeeper(options);
    this.records = new ProxyRecords({
      now: () => new Date().toISOString(),
      snapshotFor: (proxy) => this.snapshotFor(proxy),
      locate: (origin) => this.locate(origin),
    });
  }

  get world(): World {
    return this.#keeper.world;
  }

  /** Takes all that one source knows now. */
  set(name: InputName, input: Input): void {
    const before = this.world.revision;
    const world = this.#keeper.set(name, input);
    this.#sayNew(this.world.diagnostics);
    if (world.revision !== before) this.#options.onChange(world);
  }

  snapshotFor(proxy: Proxy): Snapshot {
    const { snapshot, findings } = this.#translator.translate(this.world.mesh, proxy);
    this.#problems.set(`${proxy.namespace}/${proxy.name}`, findings);
    return snapshot;
  }

  /** Where an origin stands now; undefined for a resource that is gone. */
  locate({ ref, path }: Origin): SourcePosition | undefined {
    return findHeld(this.world, ref)?.resource.locate(path);
  }

  observe(event: XdsEvent): void {
    this.records.observe(event);
    if (event.kind === "disconnected" && !this.records.isConnected(event.proxy))
      this.#problems.delete(`${event.proxy.namespace}/${event.proxy.name}`);
    const line = this.#describe(event);
    if (line !== undefined) this.#options.say(line);
  }

  /** Everything that a person should know, each thing once however many proxies it concerns. */
  diagnostics(): readonly Diagnostic[] {
    const all = [
      ...this.world.diagnostics,
      ...toDiagnostics([this.world.mesh.findings, ...this.#problems.values()].flat(), (origin) => this.locate(origin)),
      ...this.records.diagnostics(),
    ];
    return [...new Map(all.map((diagnostic) => [formatDiagnostic(diagnostic), diagnostic])).values()];
  }

  #describe(event: XdsEvent): string | undefined {
    if (event.kind === "rejected") return `a client from ${event.address} was turned away: ${event.reason}`;
    const name = `${event.proxy.namespace}/${event.proxy.name}`;
    switch (event.kind) {
      case "connected":
        return `proxy ${name} connected (Envoy ${event.proxy.version || "of unknown version"})`;
      case "disconnected":
        return `proxy ${name} disconnected: ${event.reason}`;
      case "nack":
        return this.records.describe(event);
      case "dangling":
        return `the new configuration of ${name} names what it doesn't hold and is held back: ${JSON.stringify(event.dangling.slice(0, 5))}`;
      case "failed":
        return `translation for ${name} failed: ${event.error instanceof Error ? (event.error.stack ?? event.error.message) : String(event.error)}`;
      default:
        return undefined;
    }
  }

  #sayNew(diagnostics: readonly Diagnostic[]): void {
    const notes = summariseNotes(diagnostics, "kumiko status -o wide");
    const problems = diagnostics.filter(({ severity }) => severity !== "info").map(formatDiagnostic);
    const lines = new Set(notes === "" ? problems : [...problems, notes]);
    for (const line of lines) if (!this.#said.has(line)) this.#options.say(line);
    this.#said = lines;
  }
}
