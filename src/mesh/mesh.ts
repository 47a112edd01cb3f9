import { valuesOf } from "../base/tree.ts";
import { refOf, type Resource, type ResourceRef } from "../model/resource.ts";
import { DestinationRuleIndex } from "./destination-rules.ts";
import { EndpointIndex } from "./endpoints.ts";
import type { Finding } from "./finding.ts";
import { GatewayIndex } from "./gateways.ts";
import { type MeshSettings, type MeshSettingsOptions, resolveMeshSettings } from "./mesh-settings.ts";
import { NamespaceIndex } from "./namespaces.ts";
import { OwnServiceIndex } from "./own-services.ts";
import { PolicyIndex } from "./policies.ts";
import { type ResourceChange, type ResourceEdit, ResourceTable } from "./resource-table.ts";
import { SelectionIndex } from "./selections.ts";
import { ServiceIndex } from "./services.ts";
import { VirtualServiceIndex } from "./virtual-services.ts";
import { WorkloadIndex } from "./workloads.ts";

/** All resources, indexed by what is asked of them. Nothing in it changes; an edit makes a new Mesh that shares with it all that it didn't touch. */
export interface Mesh {
  readonly settings: MeshSettings;
  readonly namespaces: NamespaceIndex;
  readonly services: ServiceIndex;
  readonly workloads: WorkloadIndex;
  readonly endpoints: EndpointIndex;
  readonly ownServices: OwnServiceIndex;
  readonly virtualServices: VirtualServiceIndex;
  readonly destinationRules: DestinationRuleIndex;
  readonly gateways: GatewayIndex;
  readonly policies: PolicyIndex;
  /** What is wrong with the whole, whatever the proxy. */
  readonly findings: readonly Finding[];
  /** The resource of a reference, for what is looked up by name (a Secret). */
  find(ref: ResourceRef): Resource | undefined;
  /** The mesh after some edits; the very same one where they change nothing. */
  with(edits: Iterable<ResourceEdit>): Mesh;
}

/** Indexes checked resources. The first of two with one name counts; order otherwise has no effect. */
export function createMesh(resources: readonly Resource[], options: MeshSettingsOptions = {}): Mesh {
  return emptyMesh(options).with(resources.toReversed().map((resource) => ({ ref: refOf(resource), resource })));
}

/** A mesh without a resource, for edits to begin with. */
export function emptyMesh(options: MeshSettingsOptions = {}): Mesh {
  return meshOf(initial(ResourceTable.EMPTY, resolveMeshSettings([], options)), options);
}

interface Indexes {
  readonly table: ResourceTable;
  readonly settings: MeshSettings;
  readonly services: ServiceIndex;
  readonly workloads: WorkloadIndex;
  readonly selections: SelectionIndex;
  readonly endpoints: EndpointIndex;
  readonly virtualServices: VirtualServiceIndex;
  readonly gateways: GatewayIndex;
  readonly policies: PolicyIndex;
}

/** Indexes that know no resource yet. */
function initial(table: ResourceTable, settings: MeshSettings): Indexes {
  const services = ServiceIndex.empty(settings);
  return {
    table,
    settings,
    services,
    workloads: WorkloadIndex.EMPTY,
    selections: SelectionIndex.EMPTY,
    endpoints: EndpointIndex.EMPTY,
    virtualServices: VirtualServiceIndex.empty(services, settings),
    gateways: GatewayIndex.EMPTY,
    policies: new PolicyIndex(table, settings.rootNamespace),
  };
}

function edited(before: Indexes, table: ResourceTable, changes: readonly ResourceChange[]): Indexes {
  const { settings } = before;
  const policies = new PolicyIndex(table, settings.rootNamespace);
  const workloads = before.workloads.with(changes);
  const selections = before.selections.with(changes, settings);
  const services = before.services.with(changes);
  const endpoints = before.endpoints.with(changes, before.services, { table, services, workloads, selections, policies, settings });
  return {
    table,
    settings,
    services,
    workloads,
    selections,
    endpoints,
    virtualServices: before.virtualServices.with(changes, services),
    gateways: before.gateways.with(changes),
    policies,
  };
}

function meshOf(indexes: Indexes, options: MeshSettingsOptions): Mesh {
  const { table, settings, services, workloads, endpoints, virtualServices, gateways, policies } = indexes;
  const mesh: Mesh = {
    settings,
    namespaces: new NamespaceIndex(table),
    services,
    workloads,
    endpoints,
    ownServices: new OwnServiceIndex(indexes),
    virtualServices,
    destinationRules: new DestinationRuleIndex(table, settings),
    gateways,
    policies,
    get findings() {
      return [...services.findings, ...virtualServices.findings];
    },
    find: (ref) => table.find(ref),
    with(edits) {
      const { table: newTable, changes } = table.with(edits);
      if (changes.length === 0) return mesh;
      const resolved = changes.some(({ ref }) => ref.kind === "MeshConfig")
        ? resolveMeshSettings(meshConfigsOf(newTable), options)
        : settings;
      if (resolved === settings) return meshOf(edited(indexes, newTable, changes), options);
      // Everything reads the settings.
      return meshOf(edited(initial(newTable, resolved), newTable, newTable.all()), options);
    },
  };
  return Object.freeze(mesh);
}

function meshConfigsOf(table: ResourceTable): readonly Resource[] {
  return [...valuesOf(table.ofKind("MeshConfig"))].flatMap((shard) => [...valuesOf(shard)]);
}
