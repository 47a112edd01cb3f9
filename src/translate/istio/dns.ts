import { isIp } from "../../base/cidr.ts";
import type { DnsTable } from "../../ir/dns.ts";
import type { EndpointSet } from "../../mesh/endpoint-set.ts";
import type { Service } from "../../model/service.ts";

export interface DnsInputs {
  /** The workload's namespace: a service of it is known by its bare name too. */
  readonly namespace: string;
  readonly services: Iterable<Service>;
  readonly endpointsOf: (service: Service) => EndpointSet;
  readonly clusterDomain: string;
}

/** Every name that a workload may call, with the address that stands for it: a virtual one, or its endpoints' for a headless service. */
export function toDnsTable({ namespace, services, endpointsOf, clusterDomain }: DnsInputs): DnsTable {
  const hosts = new Map<string, readonly string[]>();
  for (const service of services) {
    const addresses = addressesOf(service, endpointsOf);
    if (addresses.length === 0 || service.host === "*") continue;
    for (const name of namesOf(service, namespace, clusterDomain)) if (!hosts.has(name)) hosts.set(name, addresses);
  }
  return { hosts: [...hosts].map(([name, addresses]) => ({ name, addresses })).sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function addressesOf(service: Service, endpointsOf: DnsInputs["endpointsOf"]): readonly string[] {
  if (service.headless)
    return endpointsOf(service)
      .endpoints.filter(({ ready, address }) => ready && isIp(address))
      .map(({ address }) => address)
      .sort();
  const declared = service.addresses.filter(isIp);
  return declared.length > 0 ? declared : [service.allocatedAddress ?? ""].filter(isIp);
}

/** `users.shop.svc.cluster.local` is also `users.shop.svc`, `users.shop` and, in its own namespace, `users`: not every resolver completes names. */
function namesOf({ host, kind, name, namespace: owner }: Service, namespace: string, clusterDomain: string): readonly string[] {
  if (kind !== "kubernetes" || !host.endsWith(`.svc.${clusterDomain}`)) return [host];
  return [host, `${name}.${owner}.svc`, `${name}.${owner}`, ...(owner === namespace ? [name] : [])];
}
