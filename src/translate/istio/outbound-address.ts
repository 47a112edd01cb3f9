import { cidrContains, parseCidr } from "../../base/cidr.ts";
import { hostMatches } from "../../base/host-match.ts";
import type { FilterChainMatch } from "../../ir/listener.ts";
import type { Scope } from "../../mesh/index.ts";
import type { Service } from "../../model/service.ts";
import { addressesOf } from "./outbound-domain.ts";

const known = new WeakMap<Scope, ReadonlyMap<string, Service>>();

/**
 * Whether another namespace's service has the address already, so that this one must not draw its clients. First come Kubernetes Services whose
 * addresses the mesh chose, then those with declared ones, then the client's own ServiceEntries, then foreign ones; at one place the older.
 */
export function isTakenAddress(scope: Scope, service: Service, address: string): boolean {
  if (scope.settings.profile !== "zero-trust") return false;
  const holder = holdersOf(scope).get(address);
  return holder !== undefined && holder !== service && holder.namespace !== service.namespace;
}

/**
 * What a service may take on a port that all addresses share. Clients of other namespaces are drawn by its own name alone, or by a range that holds
 * no foreign service's address; undefined where that leaves nothing to tell it by.
 */
export function confine(scope: Scope, service: Service, match: FilterChainMatch): FilterChainMatch | undefined {
  const { profile, rootNamespace } = scope.settings;
  const isTrusted = [scope.proxy.namespace, rootNamespace].includes(service.namespace);
  if (profile !== "zero-trust" || service.kind === "kubernetes" || isTrusted) return match;
  const foreign = [...holdersOf(scope)].flatMap(([address, { namespace }]) =>
    namespace === service.namespace ? [] : (parseCidr(address) ?? []),
  );
  const { prefixes = [], serverNames = [] } = match;
  const ownPrefixes = prefixes.filter((prefix) => {
    const range = parseCidr(prefix);
    return range !== undefined && !foreign.some((address) => cidrContains(range, address));
  });
  const ownNames = serverNames.filter((name) => hostMatches(service.host, name));
  // A list that loses all that is in it would match everything.
  const isUnbound = (prefixes.length > 0 && ownPrefixes.length === 0) || (serverNames.length > 0 && ownNames.length === 0);
  if (isUnbound || ownPrefixes.length + ownNames.length === 0) return undefined;
  const isWider = ownPrefixes.length < prefixes.length || ownNames.length < serverNames.length;
  return isWider ? { ...match, prefixes: ownPrefixes, serverNames: ownNames } : match;
}

function holdersOf(scope: Scope): ReadonlyMap<string, Service> {
  const cached = known.get(scope);
  if (cached !== undefined) return cached;
  const rank = (service: Service) => {
    if (service.kind === "kubernetes") return service.addresses.length === 0 ? 0 : 1;
    return service.namespace === scope.proxy.namespace ? 2 : 3;
  };
  const age = ({ created, namespace, name }: Service) => `${created === "" ? "~" : created} ${namespace} ${name}`;
  const holders = new Map<string, Service>();
  for (const service of [...scope.services.values()].toSorted((a, b) => rank(a) - rank(b) || (age(a) < age(b) ? -1 : 1))) {
    for (const address of singleAddresses(scope, service)) if (!holders.has(address)) holders.set(address, service);
  }
  known.set(scope, holders);
  return holders;
}

/** Single addresses by which clients reach a service: its virtual ones, or, for a headless service, those of its endpoints, which DNS told them. */
export function singleAddresses(scope: Scope, service: Service): readonly string[] {
  if (!service.headless) return addressesOf(service, scope.proxy).filter((address) => !address.includes("/"));
  const ready = scope.endpointsOf(service).endpoints.filter((endpoint) => endpoint.ready);
  return [...new Set(ready.map(({ address }) => address))];
}
