import { isWildcardHost } from "../base/host-match.ts";
import { part } from "../base/part.ts";
import { emptyTree, type Tree, valuesOf } from "../base/tree.ts";
import { groupOf, type Groups, GroupsDraft, TreeDraft } from "../base/tree-draft.ts";
import type { Origin } from "../model/origin.ts";
import { type Resource, refOf } from "../model/resource.ts";
import type { VirtualServiceBody } from "../schema/bodies.ts";
import type { Finding } from "./finding.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { ageKey } from "./age.ts";
import type { ResourceChange } from "./resource-table.ts";
import type { ServiceIndex } from "./services.ts";
import { isExported, namespaceOfHost, qualifyHost } from "./visibility.ts";

export type VirtualServiceSpec = NonNullable<VirtualServiceBody["spec"]>;

/** The word for all sidecars where a VirtualService names its gateways. */
export const MESH_GATEWAY = "mesh";

/** A VirtualService with its hosts and gateways written out in full. */
export interface VirtualService {
  readonly name: string;
  readonly namespace: string;
  readonly created: string;
  readonly hosts: readonly string[];
  /** `mesh` and `namespace/name`. */
  readonly gateways: readonly string[];
  readonly exportTo: readonly string[];
  readonly spec: VirtualServiceSpec;
  readonly hash: string;
  readonly origin: Origin;
}

/** VirtualServices by where they apply: sidecars by host, gateways by their name. */
export class VirtualServiceIndex {
  /** The oldest first. */
  readonly #ofMesh: Tree<VirtualService>;
  /** By `namespace/name`, the oldest first. */
  readonly #byGateway: Groups<VirtualService>;
  readonly #services: ServiceIndex;
  readonly #settings: MeshSettings;

  private constructor(ofMesh: Tree<VirtualService>, byGateway: Groups<VirtualService>, services: ServiceIndex, settings: MeshSettings) {
    this.#ofMesh = ofMesh;
    this.#byGateway = byGateway;
    this.#services = services;
    this.#settings = settings;
  }

  static empty(services: ServiceIndex, settings: MeshSettings): VirtualServiceIndex {
    return new VirtualServiceIndex(emptyTree(), emptyTree(), services, settings);
  }

  /** The index after resources changed; `services` says whose a host is. */
  with(changes: Iterable<ResourceChange>, services: ServiceIndex): VirtualServiceIndex {
    const [ofMesh, byGateway] = [new TreeDraft(this.#ofMesh), new GroupsDraft(this.#byGateway)];
    const put = (virtualService: VirtualService, value: VirtualService | undefined) => {
      const key = ageKey(virtualService);
      for (const gateway of virtualService.gateways) {
        if (gateway === MESH_GATEWAY) ofMesh.set(key, value);
        else byGateway.set(gateway, key, value);
      }
    };
    for (const { ref, before, after } of changes) {
      if (ref.kind !== "VirtualService") continue;
      if (before !== undefined) put(readVirtualService(before, this.#settings), undefined);
      if (after === undefined) continue;
      const read = readVirtualService(after, this.#settings);
      put(read, read);
    }
    return new VirtualServiceIndex(ofMesh.done(), byGateway.done(), services, this.#settings);
  }

  get findings(): readonly Finding[] {
    return [...this.#foreign(), ...this.#claimedTwice()];
  }

  /** `[host, VirtualService]` that sidecars of a namespace see, the oldest first. */
  listForSidecars(namespace: string): readonly (readonly [string, VirtualService])[] {
    return [...valuesOf(this.#ofMesh)]
      .filter(({ exportTo, namespace: own }) => isExported(exportTo, own, namespace))
      .flatMap((virtualService) =>
        virtualService.hosts
          .filter((host) => this.#mayRoute(virtualService, host, namespace))
          .map((host) => [host, virtualService] as const),
      );
  }

  /** What a gateway `namespace/name` serves, the oldest first; those not exported to the proxy's namespace are left out. */
  forGateway(gateway: string, proxyNamespace: string): readonly VirtualService[] {
    return [...valuesOf(groupOf(this.#byGateway, gateway))].filter(({ exportTo, namespace }) =>
      isExported(exportTo, namespace, proxyNamespace),
    );
  }

  /** Names of the labels that `sourceLabels` anywhere asks for. */
  *clientLabels(): Iterable<string> {
    for (const { spec } of valuesOf(this.#ofMesh)) {
      for (const { match } of [...(spec.http ?? []), ...(spec.tls ?? []), ...(spec.tcp ?? [])]) {
        for (const { sourceLabels } of match ?? []) yield* Object.keys(sourceLabels ?? {});
      }
    }
  }

  #mayRoute({ namespace: own }: VirtualService, host: string, viewer: string): boolean {
    return this.#settings.profile !== "zero-trust" || own === viewer || this.#ownerOf(host) === own;
  }

  #ownerOf(host: string): string | undefined {
    return this.#services.ownerOf(host) ?? namespaceOfHost(host, this.#settings.clusterDomain);
  }

  *#foreign(): Iterable<Finding> {
    if (this.#settings.profile !== "zero-trust") return;
    for (const { hosts, namespace, exportTo, origin } of valuesOf(this.#ofMesh)) {
      if (exportTo.every((to) => to === "." || to === namespace)) continue;
      for (const [i, host] of hosts.entries()) {
        const owner = this.#ownerOf(host);
        if (owner === namespace) continue;
        yield {
          code: "KMK3003",
          message: `host "${host}" ${owner === undefined ? "belongs to no namespace" : `belongs to namespace "${owner}"`}; this VirtualService routes it only for clients of "${namespace}"`,
          help:
            owner === undefined
              ? 'set exportTo: ["."] if that is meant'
              : `move the VirtualService to namespace "${owner}", or set exportTo: ["."]`,
          origin: { ref: origin.ref, path: ["spec", "hosts", i] },
        };
      }
    }
  }

  *#claimedTwice(): Iterable<Finding> {
    const first = new Map<string, VirtualService>();
    for (const virtualService of valuesOf(this.#ofMesh)) {
      for (const [i, host] of virtualService.hosts.entries()) {
        const key =
          this.#settings.profile === "zero-trust" && this.#ownerOf(host) !== virtualService.namespace
            ? `${virtualService.namespace}/${host}`
            : host;
        const older = first.get(key);
        if (older === undefined) first.set(key, virtualService);
        else if (older !== virtualService) yield claimedBy(older, virtualService, host, i);
      }
    }
  }
}

function claimedBy(older: VirtualService, younger: VirtualService, host: string, place: number): Finding {
  return {
    code: "KMK2007",
    message: `host "${host}" is claimed by an older VirtualService; sidecars ignore this one's routes for it`,
    help: isWildcardHost(host) ? "use a narrower host" : "merge the two into one VirtualService",
    origin: { ref: younger.origin.ref, path: ["spec", "hosts", place] },
    related: [{ message: "the one that is used", resource: older.origin.ref }],
  };
}

const readVirtualService = part((resource: Resource, settings: MeshSettings): VirtualService => {
  const { metadata, hash } = resource;
  const spec = (resource.body as VirtualServiceBody).spec ?? {};
  const { hosts = [], gateways = [], exportTo } = spec;
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    created: metadata.creationTimestamp ?? "",
    hosts: hosts.map((host) => qualifyHost(host, metadata.namespace, settings.clusterDomain)),
    gateways: gateways.length === 0 ? [MESH_GATEWAY] : gateways.map((gateway) => qualifyGateway(gateway, metadata.namespace)),
    exportTo: exportTo === undefined || exportTo.length === 0 ? settings.defaultExportTo.virtualService : exportTo,
    spec,
    hash,
    origin: { ref: refOf(resource), path: [] },
  };
});

/** `mesh`, `name`, `namespace/name`, and Istio's old form `name.namespace.svc.cluster.local`. */
export function qualifyGateway(gateway: string, namespace: string): string {
  if (gateway === MESH_GATEWAY || gateway.includes("/")) return gateway;
  const [name = "", other] = gateway.split(".");
  return other === undefined ? `${namespace}/${gateway}` : `${other}/${name}`;
}
