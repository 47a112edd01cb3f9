import { emptyTree, lookUp, type Tree, valuesOf } from "../base/tree.ts";
import { TreeDraft } from "../base/tree-draft.ts";
import type { Origin } from "../model/origin.ts";
import { type Resource, refOf } from "../model/resource.ts";
import type { GatewayBody } from "../schema/bodies.ts";
import { ageKey } from "./age.ts";
import type { ResourceChange } from "./resource-table.ts";
import { matchesLabels } from "./visibility.ts";

export type GatewaySpec = NonNullable<GatewayBody["spec"]>;
export type GatewayServer = NonNullable<GatewaySpec["servers"]>[number];

export interface Gateway {
  readonly name: string;
  readonly namespace: string;
  readonly created: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly servers: readonly GatewayServer[];
  readonly hash: string;
  readonly origin: Origin;
}

/** Gateways, the oldest first, and which of them a router proxy carries out. */
export class GatewayIndex {
  static readonly EMPTY = new GatewayIndex(emptyTree(), emptyTree());
  readonly #byAge: Tree<Gateway>;
  readonly #byName: Tree<Gateway>;

  private constructor(oldestFirst: Tree<Gateway>, byName: Tree<Gateway>) {
    this.#byAge = oldestFirst;
    this.#byName = byName;
  }

  with(changes: Iterable<ResourceChange>): GatewayIndex {
    const [oldestFirst, byName] = [new TreeDraft(this.#byAge), new TreeDraft(this.#byName)];
    for (const { ref, before, after } of changes) {
      if (ref.kind !== "Gateway") continue;
      const [gone, come] = [readGateway(before), readGateway(after)];
      if (gone !== undefined) oldestFirst.set(ageKey(gone), undefined);
      if (come !== undefined) oldestFirst.set(ageKey(come), come);
      byName.set(`${ref.namespace}/${ref.name}`, come);
    }
    const named = byName.done();
    return named === this.#byName ? this : new GatewayIndex(oldestFirst.done(), named);
  }

  /** By selector over the proxy's labels, whatever the Gateway's namespace (Istio's default). A Gateway without a selector is for all routers. */
  forProxy(proxy: { readonly labels: Readonly<Record<string, string>> }): readonly Gateway[] {
    return [...valuesOf(this.#byAge)].filter(({ selector }) => matchesLabels(selector, proxy.labels));
  }

  /** By `namespace/name`. */
  find(name: string): Gateway | undefined {
    return lookUp(this.#byName, name);
  }
}

/** Undefined for a Gateway of another API. */
function readGateway(resource: Resource | undefined): Gateway | undefined {
  if (resource?.apiVersion.startsWith("networking.istio.io/") !== true) return undefined;
  const { metadata, hash } = resource;
  const spec = (resource.body as GatewayBody).spec ?? {};
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    created: metadata.creationTimestamp ?? "",
    selector: spec.selector ?? {},
    servers: spec.servers ?? [],
    hash,
    origin: { ref: refOf(resource), path: [] },
  };
}
