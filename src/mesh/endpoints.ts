import { emptyTree, lookUp, type Tree } from "../base/tree.ts";
import { TreeDraft } from "../base/tree-draft.ts";
import { formatRef, type Resource, type ResourceRef } from "../model/resource.ts";
import type { Service } from "../model/service.ts";
import type { ServiceEntryBody } from "../schema/bodies.ts";
import { type EndpointSet, endpointSetOf, NO_ENDPOINTS } from "./endpoint-set.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { resolveMtls } from "./peer-authentication.ts";
import { type PolicyIndex, selectorOf } from "./policies.ts";
import type { ResourceChange, ResourceTable } from "./resource-table.ts";
import { type SelectionIndex, serviceOfSlice } from "./selections.ts";
import type { ServiceIndex } from "./services.ts";
import { type IndexedWorkload, readWorkload } from "./workload.ts";
import type { WorkloadIndex } from "./workloads.ts";

/** What endpoints are made of. */
export interface EndpointInputs {
  readonly table: ResourceTable;
  readonly services: ServiceIndex;
  readonly workloads: WorkloadIndex;
  readonly selections: SelectionIndex;
  readonly policies: PolicyIndex;
  readonly settings: MeshSettings;
}

/** The endpoints of every service. */
export class EndpointIndex {
  static readonly EMPTY = new EndpointIndex(emptyTree());
  readonly #sets: Tree<EndpointSet>;

  private constructor(sets: Tree<EndpointSet>) {
    this.#sets = sets;
  }

  of(service: Service): EndpointSet {
    return lookUp(this.#sets, keyOf(service)) ?? NO_ENDPOINTS;
  }

  /** The index after resources changed: the endpoints of the services that these concern. A set that turns out as it was stays the same object. */
  with(changes: readonly ResourceChange[], before: ServiceIndex, inputs: EndpointInputs): EndpointIndex {
    const { table, services } = inputs;
    const sets = new TreeDraft(this.#sets);
    const concerned = new Map<string, ResourceRef>();
    for (const change of changes) for (const ref of concernedBy(change, inputs)) concerned.set(formatRef(ref), ref);
    for (const { ref, before: gone } of changes)
      if (gone !== undefined && isService(ref)) for (const service of before.declaredBy(gone)) sets.set(keyOf(service), undefined);
    for (const ref of concerned.values()) {
      const resource = table.find(ref);
      for (const service of resource === undefined ? [] : services.declaredBy(resource)) {
        const key = keyOf(service);
        const made = endpointSetOf(service, sourcesOf(service, resource, inputs));
        const known = lookUp(this.#sets, key);
        sets.set(key, known?.hash === made.hash ? known : made);
      }
    }
    return new EndpointIndex(sets.done());
  }
}

function keyOf({ host, kind, namespace, name }: Service): string {
  return `${host}\0${kind}/${namespace}/${name}`;
}

function isService({ kind }: ResourceRef): boolean {
  return kind === "Service" || kind === "ServiceEntry";
}

function sourcesOf(service: Service, resource: Resource | undefined, { workloads, selections, policies, settings }: EndpointInputs) {
  return {
    settings,
    selected: service.selector === undefined ? [] : workloads.select(service.namespace, service.selector),
    slices: selections.slicesOf(service),
    entry: resource as Resource<ServiceEntryBody> | undefined,
    podNamed: (name: string) => workloads.find("Pod", service.namespace, name),
    mtlsOf: (workload: IndexedWorkload) => resolveMtls(policies.find("PeerAuthentication", workload), settings.defaultMtls),
  };
}

/** The Services and ServiceEntries whose endpoints may be others because of a change. */
function* concernedBy({ ref, before, after }: ResourceChange, inputs: EndpointInputs): Iterable<ResourceRef> {
  const { selections } = inputs;
  const both = [before, after].filter((resource) => resource !== undefined);
  if (isService(ref)) yield ref;
  else if (ref.kind === "EndpointSlice") yield* both.map(serviceOfSlice);
  else if (ref.kind === "PeerAuthentication")
    for (const policy of both) for (const workload of judgedBy(policy, inputs)) yield* selections.leadingTo(workload);
  else
    for (const resource of both) {
      const workload = readWorkload(resource);
      if (workload !== undefined) yield* selections.leadingTo(workload);
    }
}

/** The workloads that a PeerAuthentication is for: of its namespace, or, in the root namespace, of all. */
function* judgedBy(policy: Resource, { workloads, settings }: EndpointInputs): Iterable<IndexedWorkload> {
  const { namespace } = policy.metadata;
  const selector = selectorOf(policy) ?? {};
  for (const each of namespace === settings.rootNamespace ? workloads.namespaces() : [namespace]) yield* workloads.select(each, selector);
}
