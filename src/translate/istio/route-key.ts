import { qualifyHost, type MeshSettings, type VirtualService } from "../../mesh/index.ts";
import type { Destinations } from "./route-destination.ts";

const known = new WeakMap<VirtualService, readonly string[]>();

/** Hosts that a VirtualService sends to or mirrors to, in full, each once. */
export function destinationsOf(virtualService: VirtualService, settings: MeshSettings): readonly string[] {
  const cached = known.get(virtualService);
  if (cached !== undefined) return cached;
  const { http = [], tls = [], tcp = [] } = virtualService.spec;
  const hosts = new Set<string>();
  for (const { route, mirror, mirrors } of http) {
    for (const { destination } of route ?? []) hosts.add(destination.host);
    if (mirror !== undefined) hosts.add(mirror.host);
    for (const { destination } of mirrors ?? []) hosts.add(destination.host);
  }
  for (const { route } of [...tls, ...tcp]) for (const { destination } of route ?? []) hosts.add(destination.host);
  const full = [...new Set([...hosts].map((host) => qualifyHost(host, virtualService.namespace, settings.clusterDomain)))].toSorted();
  known.set(virtualService, full);
  return full;
}

/** Changes whenever what `findDestination` reads of these hosts does. */
export function destinationsKey(hosts: readonly string[], destinations: Destinations): string {
  return hosts
    .map((host) => {
      const service = destinations.serviceOf(host);
      return service === undefined ? `${host}?` : `${service.hash}/${destinations.ruleFor(service)?.hash ?? ""}`;
    })
    .join(",");
}
