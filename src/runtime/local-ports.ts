import { stableHash } from "../base/index.ts";
import type { ServiceBody, ServiceEntryBody } from "../schema/bodies.ts";
import type { LoopbackPorts } from "./loopback.ts";
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

/** A host that workloads may call, with its ports. */
export interface CallableHost {
  readonly host: string;
  readonly ports: readonly number[];
  /** It lies outside of the mesh, as far as its ServiceEntry says. */
  readonly isOutside: boolean;
  /** Namespaces that see it; undefined: all. */
  readonly namespaces: readonly string[] | undefined;
}

/** Everything that a workload may call: every Service, and ServiceEntries' hosts without a wildcard. In order of host. */
export function callableHosts(resources: readonly DeclaredResource[]): readonly CallableHost[] {
  const hosts = resources.flatMap((resource) => {
    if (resource.kind === "Service") return ofService(resource);
    return resource.kind === "ServiceEntry" ? ofServiceEntry(resource) : [];
  });
  return hosts.toSorted((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
}

/** What a namespace sees of them: ports by host, in order. */
export function callableFrom(hosts: readonly CallableHost[], namespace: string): ReadonlyMap<string, readonly number[]> {
  const seen = new Map<string, readonly number[]>();
  for (const { host, ports, namespaces } of hosts) {
    if (namespaces !== undefined && !namespaces.includes(namespace)) continue;
    seen.set(
      host,
      [...new Set([...(seen.get(host) ?? []), ...ports])].toSorted((a, b) => a - b),
    );
  }
  return seen;
}

const SHOWN = 5;

interface Uncallable {
  readonly kind: "error";
  readonly message: string;
  readonly help: string;
}

/** What is declared and yet can't be called by its name and port, and how it could be. */
export function findUncallable(
  hosts: readonly CallableHost[],
  loopback: Pick<LoopbackPorts, "lowest" | "isTaken">,
  hasNames: boolean,
): readonly Uncallable[] {
  if (!hasNames) {
    const outside = hosts.filter(({ isOutside }) => isOutside).map(({ host }) => host);
    if (outside.length === 0) return [];
    const help = "allow network or mount namespaces, or run kumiko up as root";
    return [{ kind: "error", message: `workloads can't look up ${listed(outside)}: there are no mount namespaces here`, help }];
  }
  const all = hosts.flatMap(({ host, ports }) => ports.map((port) => ({ port, where: `${host}:${port}` })));
  const taken = all.filter(({ port }) => loopback.isTaken(port));
  const low = all.filter(({ port }) => port < loopback.lowest && !loopback.isTaken(port));
  const say = (found: typeof all, why: string, help: string): readonly Uncallable[] => {
    if (found.length === 0) return [];
    return [{ kind: "error", message: `workloads can't connect to ${listed(found.map(({ where }) => where))}: ${why}`, help }];
  };
  const byVariable = "a Service is also where its NAME_SERVICE_HOST and NAME_SERVICE_PORT say";
  return [
    ...say(
      low,
      `only root listens on ports below ${loopback.lowest} here`,
      `sudo sysctl -w net.ipv4.ip_unprivileged_port_start=${Math.min(...low.map(({ port }) => port))}, then kumiko up again; ${byVariable}`,
    ),
    ...say(
      taken,
      "a program listens on that port of every address",
      `end it, or, where it is a workload, give its image portEnv in kumiko.yaml; then kumiko up again; ${byVariable}`,
    ),
  ];
}

function listed(names: readonly string[]): string {
  const unique = [...new Set(names)];
  const more = unique.length - SHOWN;
  return unique.slice(0, SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function ofService({ metadata, body }: DeclaredResource): readonly CallableHost[] {
  const { spec } = body as ServiceBody;
  if (spec?.type === "ExternalName" || !spec?.ports?.length) return [];
  const exportTo = metadata.annotations["networking.istio.io/exportTo"]?.split(",").map((name) => name.trim());
  const host = `${metadata.name}.${metadata.namespace}.svc.cluster.local`;
  return [{ host, ports: spec.ports.map(({ port }) => port), isOutside: false, namespaces: toNamespaces(exportTo, metadata.namespace) }];
}

function ofServiceEntry({ metadata, body }: DeclaredResource): readonly CallableHost[] {
  const { spec } = body as ServiceEntryBody;
  const ports = (spec?.ports ?? []).map(({ number }) => number);
  const hosts = (spec?.hosts ?? []).filter((host) => ports.length > 0 && !host.includes("*"));
  const namespaces = toNamespaces(spec?.exportTo, metadata.namespace);
  return hosts.map((host) => ({ host: host.toLowerCase(), ports, isOutside: true, namespaces }));
}

function toNamespaces(exportTo: readonly string[] | undefined, own: string): readonly string[] | undefined {
  if (exportTo === undefined || exportTo.length === 0 || exportTo.includes("*")) return undefined;
  return exportTo.map((name) => (name === "." ? own : name));
}
