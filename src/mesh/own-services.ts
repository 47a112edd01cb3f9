import type { Service } from "../model/service.ts";
import type { EndpointIndex, ServiceEndpoint } from "./endpoints.ts";
import type { ServiceIndex } from "./services.ts";
import { byAge } from "./visibility.ts";

/** A Service or ServiceEntry of a workload's namespace that leads to it, and where. */
export interface OwnService {
  readonly service: Service;
  readonly endpoint: ServiceEndpoint;
}

/** Finds the services that lead to a workload; those of a namespace are worked out once, when first asked for. */
export class OwnServiceIndex {
  readonly #services: ServiceIndex;
  readonly #endpoints: EndpointIndex;
  readonly #known = new Map<string, ReadonlyMap<string, readonly OwnService[]>>();
  #byNamespace: ReadonlyMap<string, readonly Service[]> | undefined;

  constructor(services: ServiceIndex, endpoints: EndpointIndex) {
    this.#services = services;
    this.#endpoints = endpoints;
  }

  /** The oldest service first. */
  of({ namespace, name }: { readonly namespace: string; readonly name: string }): readonly OwnService[] {
    const known = this.#known.get(namespace) ?? this.#read(namespace);
    this.#known.set(namespace, known);
    return known.get(`${namespace}/${name}`) ?? [];
  }

  #read(namespace: string): ReadonlyMap<string, readonly OwnService[]> {
    this.#byNamespace ??= Map.groupBy(this.#services.all(), (service) => service.namespace);
    const byWorkload = new Map<string, OwnService[]>();
    for (const service of [...(this.#byNamespace.get(namespace) ?? [])].sort(byAge)) {
      for (const endpoint of this.#endpoints.of(service).endpoints) {
        if (endpoint.workload === "") continue;
        const own = byWorkload.get(endpoint.workload);
        if (own === undefined) byWorkload.set(endpoint.workload, [{ service, endpoint }]);
        // Of two addresses of one workload, the first counts.
        else if (own.at(-1)?.service !== service) own.push({ service, endpoint });
      }
    }
    return byWorkload;
  }
}
