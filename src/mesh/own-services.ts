import type { Service } from "../model/service.ts";
import { byAge } from "./age.ts";
import type { ServiceEndpoint } from "./endpoint-set.ts";
import type { EndpointIndex } from "./endpoints.ts";
import type { ResourceTable } from "./resource-table.ts";
import type { SelectionIndex } from "./selections.ts";
import type { ServiceIndex } from "./services.ts";
import type { WorkloadIndex } from "./workloads.ts";

/** A Service or ServiceEntry of a workload's namespace that leads to it, and where. */
export interface OwnService {
  readonly service: Service;
  readonly endpoint: ServiceEndpoint;
}

export interface OwnServiceInputs {
  readonly table: ResourceTable;
  readonly services: ServiceIndex;
  readonly workloads: WorkloadIndex;
  readonly selections: SelectionIndex;
  readonly endpoints: EndpointIndex;
}

/** Finds the services that lead to a workload. */
export class OwnServiceIndex {
  readonly #inputs: OwnServiceInputs;

  constructor(inputs: OwnServiceInputs) {
    this.#inputs = inputs;
  }

  /** The oldest service first. */
  of({ namespace, name }: { readonly namespace: string; readonly name: string }): readonly OwnService[] {
    const { table, services, workloads, selections, endpoints } = this.#inputs;
    const named = [workloads.find("Pod", namespace, name), workloads.find("WorkloadEntry", namespace, name)];
    const refs = new Set(named.flatMap((workload) => (workload === undefined ? [] : [...selections.leadingTo(workload)])));
    const resources = [...refs].flatMap((ref) => table.find(ref) ?? []);
    const leading = [...new Set(resources.flatMap((resource) => services.declaredBy(resource)))].sort(byAge);
    return leading.flatMap((service) => {
      // Of two addresses of one workload, the first counts.
      const endpoint = endpoints.of(service).endpoints.find(({ workload }) => workload === `${namespace}/${name}`);
      return endpoint === undefined ? [] : [{ service, endpoint }];
    });
  }
}
