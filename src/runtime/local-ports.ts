import { stableHash } from "../base/index.ts";
import type { ServiceBody, ServiceEntryBody } from "../schema/bodies.ts";
import type { DeclaredResource } from "./resources.ts";

const FIRST = 20_000;
const COUNT = 12_000;

/** Loopback ports of mode `ports`: the same name gets the same port, the next free one where two names meet. */
export class PortAllocator {
  readonly #byName = new Map<string, number>();
  readonly #taken = new Set<number>();

  constructor(reserved: Iterable<number> = []) {
    for (const port of reserved) this.#taken.add(port);
  }

  get(name: string): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    let port = FIRST + (Number.parseInt(stableHash(name).slice(0, 8), 16) % COUNT);
    while (this.#taken.has(port)) port = FIRST + ((port - FIRST + 1) % COUNT);
    this.#byName.set(name, port);
    this.#taken.add(port);
    return port;
  }

  release(name: string): void {
    const port = this.#byName.get(name);
    if (port !== undefined) this.#taken.delete(port);
    this.#byName.delete(name);
  }
}

/** `host:port` of everything that a workload may call: every Service's ports, and those of ServiceEntries' hosts without a wildcard. */
export function callableHosts(resources: readonly DeclaredResource[]): readonly string[] {
  const hosts: string[] = [];
  for (const { kind, metadata, body } of resources) {
    if (kind === "Service") {
      const { spec } = body as ServiceBody;
      if (spec?.type === "ExternalName") continue;
      for (const { port } of spec?.ports ?? []) hosts.push(`${metadata.name}.${metadata.namespace}.svc.cluster.local:${port}`);
    } else if (kind === "ServiceEntry") {
      const { spec } = body as ServiceEntryBody;
      for (const host of spec?.hosts ?? []) {
        if (!host.includes("*")) for (const { number } of spec?.ports ?? []) hosts.push(`${host}:${number}`);
      }
    }
  }
  return [...new Set(hosts)].toSorted();
}
