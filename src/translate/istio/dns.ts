import { isIp } from "../../base/cidr.ts";
import { part } from "../../base/part.ts";
import type { DnsEntry, DnsTable } from "../../ir/dns.ts";
import { type EndpointSet, NO_ENDPOINTS } from "../../mesh/endpoint-set.ts";
import type { MeshSettings } from "../../mesh/index.ts";
import type { Service } from "../../model/service.ts";

export interface DnsInputs {
  /** The workload's namespace: a service of it is known by its bare name too. */
  readonly namespace: string;
  readonly services: Iterable<Service>;
  readonly endpointsOf: (service: Service) => EndpointSet;
  readonly settings: MeshSettings;
}

/** Every name that a workload may call, with the address that stands for it: a virtual one, or its endpoints' for a headless service. */
export function toDnsTable({ namespace, services, endpointsOf, settings }: DnsInputs): DnsTable {
  const taken = new Set<string>();
  const entries: DnsEntry[] = [];
  for (const service of services) {
    const endpoints = service.headless ? endpointsOf(service) : NO_ENDPOINTS;
    const entry = entryOf(service, endpoints, settings, service.namespace === namespace ? OWN : FOREIGN);
    if (entry === undefined) continue;
    const names = entry.names.filter((name) => !taken.has(name));
    for (const name of names) taken.add(name);
    if (names.length > 0) entries.push(names.length === entry.names.length ? entry : { ...entry, names });
  }
  return { entries };
}

/** Whose a service is to a client. */
interface Relation {
  readonly isOwn: boolean;
}

const OWN: Relation = Object.freeze({ isOwn: true });
const FOREIGN: Relation = Object.freeze({ isOwn: false });

/** Undefined where the service has no address, or no name that can be asked for. */
const entryOf = part((service: Service, endpoints: EndpointSet, settings: MeshSettings, relation: Relation): DnsEntry | undefined => {
  const addresses = addressesOf(service, endpoints);
  if (addresses.length === 0 || service.host === "*") return undefined;
  return { names: namesOf(service, relation, settings.clusterDomain), addresses };
});

function addressesOf(service: Service, { endpoints }: EndpointSet): readonly string[] {
  if (service.headless)
    return endpoints
      .filter(({ ready, address }) => ready && isIp(address))
      .map(({ address }) => address)
      .sort();
  const declared = service.addresses.filter(isIp);
  return declared.length > 0 ? declared : [service.allocatedAddress ?? ""].filter(isIp);
}

/** `users.shop.svc.cluster.local` is also `users.shop.svc`, `users.shop` and, in its own namespace, `users`: not every resolver completes names. */
function namesOf({ host, kind, name, namespace }: Service, { isOwn }: Relation, clusterDomain: string): readonly string[] {
  if (kind !== "kubernetes" || !host.endsWith(`.svc.${clusterDomain}`)) return [host];
  return [host, `${name}.${namespace}.svc`, `${name}.${namespace}`, ...(isOwn ? [name] : [])];
}
