import type { Origin } from "../model/origin.ts";
import { type Resource, refOf } from "../model/resource.ts";
import type { GatewayBody } from "../schema/bodies.ts";
import { byAge, matchesLabels } from "./visibility.ts";

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
  readonly #all: readonly Gateway[];
  readonly #byName: ReadonlyMap<string, Gateway>;

  constructor(resources: Iterable<Resource>) {
    const all: Gateway[] = [];
    for (const resource of resources)
      if (resource.kind === "Gateway" && resource.apiVersion.startsWith("networking.istio.io/"))
        all.push(readGateway(resource as Resource<GatewayBody>));
    this.#all = all.toSorted(byAge);
    this.#byName = new Map(all.map((gateway) => [`${gateway.namespace}/${gateway.name}`, gateway]));
  }

  /** By selector over the proxy's labels, whatever the Gateway's namespace (Istio's default). A Gateway without a selector is for all routers. */
  forProxy(proxy: { readonly labels: Readonly<Record<string, string>> }): readonly Gateway[] {
    return this.#all.filter(({ selector }) => matchesLabels(selector, proxy.labels));
  }

  /** By `namespace/name`. */
  find(name: string): Gateway | undefined {
    return this.#byName.get(name);
  }
}

function readGateway(resource: Resource<GatewayBody>): Gateway {
  const { metadata, hash } = resource;
  const spec = resource.body.spec ?? {};
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
