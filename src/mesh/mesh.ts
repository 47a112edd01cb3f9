import { formatRef, type Resource, type ResourceRef, refOf } from "../model/resource.ts";
import { DestinationRuleIndex } from "./destination-rules.ts";
import { EndpointIndex } from "./endpoints.ts";
import type { Finding } from "./finding.ts";
import { GatewayIndex } from "./gateways.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { NamespaceIndex } from "./namespaces.ts";
import { OwnServiceIndex } from "./own-services.ts";
import { PolicyIndex } from "./policies.ts";
import { ServiceIndex } from "./services.ts";
import { VirtualServiceIndex } from "./virtual-services.ts";
import { WorkloadIndex } from "./workloads.ts";

/** All resources, indexed by what is asked of them. Nothing in it changes; a changed resource makes a new Mesh. */
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
  /** The resource of a reference, for its position and for what is looked up by name (a Secret). */
  find(ref: ResourceRef): Resource | undefined;
}

/** Indexes checked resources. The first of two with one name counts; order otherwise has no effect. */
export function createMesh(resources: readonly Resource[], settings: MeshSettings): Mesh {
  const byRef = new Map<string, Resource>();
  for (const resource of resources) {
    const key = formatRef(refOf(resource));
    if (!byRef.has(key)) byRef.set(key, resource);
  }
  const all = [...byRef.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, resource]) => resource);
  const workloads = new WorkloadIndex(all);
  const policies = new PolicyIndex(all, settings.rootNamespace);
  const services = new ServiceIndex(all, settings);
  const endpoints = new EndpointIndex(all, workloads, policies, settings);
  const virtualServices = new VirtualServiceIndex(all, services, settings);
  return Object.freeze({
    settings,
    namespaces: new NamespaceIndex(all),
    services,
    workloads,
    endpoints,
    ownServices: new OwnServiceIndex(services, endpoints),
    virtualServices,
    destinationRules: new DestinationRuleIndex(all, settings),
    gateways: new GatewayIndex(all),
    policies,
    findings: [...services.findings, ...virtualServices.findings],
    find: (ref: ResourceRef) => byRef.get(formatRef(ref)),
  });
}
