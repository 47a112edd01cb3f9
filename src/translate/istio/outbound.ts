import { itemsOf, part, type Tuple, tupleOf } from "../../base/part.ts";
import type { FilterChain, FilterChainMatch, Listener } from "../../ir/listener.ts";
import type { RouteTable } from "../../ir/route.ts";
import type { Finding, MeshSettings, Scope } from "../../mesh/index.ts";
import type { Origin } from "../../model/origin.ts";
import { isHttp, isTls, type Service, type ServicePort } from "../../model/service.ts";
import type { Memo } from "../memo.ts";
import { settledListener } from "../same-listener.ts";
import { confine, isTakenAddress, singleAddresses } from "./outbound-address.ts";
import {
  ANY_ADDRESS,
  httpChain,
  outboundListener,
  refusedHttpChains,
  unknownChain,
  unknownListener,
  virtualOutbound,
} from "./outbound-listener.ts";
import { localListeners } from "./outbound-local.ts";
import { type Port, portOf } from "./port.ts";
import { portRouteTable, serviceRouteTable, type TranslatedTable } from "./outbound-route.ts";
import { NO_RULE, type Rule } from "./destination-rule.ts";
import { matchesAll, ownChain, tcpChains } from "./outbound-tcp.ts";

export interface Outbound {
  readonly listeners: readonly Listener[];
  readonly routeTables: readonly RouteTable[];
  readonly findings: readonly Finding[];
}

/** Ports of the proxy itself, which no service may take. */
const OWN_PORTS: ReadonlySet<number> = new Set([15_001, 15_006]);

/** Everything that a sidecar does with its workload's own connections. */
export function toOutbound(scope: Scope, memo: Memo): Outbound {
  if (scope.proxy.capture === "none") return localListeners(scope);
  const findings: Finding[] = [];
  const wildcards = new Map<number, Wildcard>();
  const listeners: Listener[] = [];
  const tables: TranslatedTable[] = [];
  const taken = new Map<string, Service>();
  for (const service of scope.services.values()) {
    for (const port of service.ports) {
      if (port.protocol === "udp" || isReserved(service, port, findings)) continue;
      if (isHttp(port.protocol)) {
        wildcardOf(wildcards, port.number).http.push(service);
        continue;
      }
      const addresses = singleAddresses(scope, service);
      if (addresses.length === 0) {
        const wildcard = wildcardOf(wildcards, port.number);
        wildcard.bytes.push({ service, port });
        if (port.protocol === "auto") wildcard.http.push(service);
      }
      for (const address of addresses) {
        if (isTakenAddress(scope, service, address)) {
          findings.push(foreignAddress(service, address));
          continue;
        }
        const key = `${address}_${port.number}`;
        const first = taken.get(key);
        if (first !== undefined) {
          findings.push(cannotTell(service, first, port.number));
          continue;
        }
        taken.set(key, service);
        listeners.push(addressListener(scope, service, port, address, findings));
      }
      if (port.protocol === "auto" && addresses.length > 0) tables.push(serviceRouteTable(scope, service, port.number));
    }
  }
  for (const [port, wildcard] of [...wildcards].toSorted(([a], [b]) => a - b)) {
    listeners.push(wildcardListener(scope, port, wildcard, findings));
    if (wildcard.http.length > 0) tables.push(portRouteTable(scope, port, wildcard.http, memo));
  }
  const ports = [...new Set(listeners.map(({ port }) => port))].toSorted((a, b) => a - b);
  const others = ports.filter((port) => !wildcards.has(port)).flatMap((port) => unknownListener(scope.settings, port) ?? []);
  return {
    listeners: [virtualOutbound(scope.settings, ports), ...listeners, ...others],
    routeTables: tables.map(({ table }) => table),
    findings: [...findings, ...tables.flatMap((translated) => translated.findings)],
  };
}

/** What meets on one port of every address: HTTP services (and those that may turn out to be), told apart by host, and services without an address. */
interface Wildcard {
  readonly http: Service[];
  readonly bytes: { readonly service: Service; readonly port: ServicePort }[];
}

function wildcardOf(wildcards: Map<number, Wildcard>, port: number): Wildcard {
  let wildcard = wildcards.get(port);
  if (wildcard === undefined) wildcards.set(port, (wildcard = { http: [], bytes: [] }));
  return wildcard;
}

function isReserved(service: Service, { number }: ServicePort, findings: Finding[]): boolean {
  if (!OWN_PORTS.has(number)) return false;
  findings.push({
    code: "KMK1003",
    message: `port ${number} is the proxy's own; "${service.host}" can't be reached on it`,
    origin: service.origin,
  });
  return true;
}

function addressListener(scope: Scope, service: Service, port: ServicePort, address: string, findings: Finding[]): Listener {
  if (scope.virtualServiceFor(service.host) === undefined) return plainListeners(service, port, scope.ruleFor(service) ?? NO_RULE)(address);
  return withChains(service, port, address, tcpChains(scope, service, port, findings));
}

/** Listeners of a service that no VirtualService routes, by address: whoever the client is. */
const plainListeners = part((service: Service, port: ServicePort, rule: Rule) => {
  const known = new Map<string, Listener>();
  return (address: string): Listener => {
    let listener = known.get(address);
    if (listener === undefined) {
      listener = settledListener(withChains(service, port, address, [ownChain(service, port, rule)]));
      known.set(address, listener);
    }
    return listener;
  };
});

function withChains(service: Service, port: ServicePort, address: string, chains: readonly FilterChain[]): Listener {
  const origin = [service.origin];
  const base = { address, port: port.number, bindToPort: false, origin };
  const rest = chains.filter(({ match }) => !matchesAll(match));
  const last = chains.find(({ match }) => matchesAll(match));
  const http =
    port.protocol === "auto" ? [httpChain(`${service.host}:${port.number}`, `outbound_${address}_${port.number}`, true, origin)] : [];
  return outboundListener({ ...base, chains: [...http, ...rest], ...(last !== undefined && { defaultChain: last }) });
}

function wildcardListener(scope: Scope, port: number, { http, bytes }: Wildcard, findings: Finding[]): Listener {
  if (bytes.length === 0) return httpListener(portOf(port), tupleOf(new Set(http)), scope.settings);
  const chains: FilterChain[] = [];
  let last: { readonly chain: FilterChain; readonly service: Service } | undefined;
  for (const { service, port: own } of bytes) {
    const ranges = service.addresses.filter((address) => address.includes("/"));
    for (const chain of tcpChains(scope, service, own, findings)) {
      const match = confine(scope, service, narrow(chain, service, own, ranges));
      if (match === undefined) {
        findings.push(tooWide(service, port));
        continue;
      }
      const narrowed: FilterChain = { ...chain, match };
      if (!matchesAll(match)) {
        if (!chains.some((other) => sameMatch(other.match, match))) chains.push(narrowed);
      } else if (last === undefined) last = { chain: narrowed, service };
      else findings.push(cannotTell(service, last.service, port));
    }
  }
  const services = new Set([...http, ...bytes.map(({ service }) => service)]);
  return sharedListener(port, { chains, last: last?.chain, hasHttp: http.length > 0, origin: originsOf(services) }, scope.settings);
}

/** A port on which all services speak HTTP: whoever the client is. */
const httpListener = part((port: Port, services: Tuple, settings: MeshSettings): Listener => {
  const origin = originsOf(itemsOf(services) as readonly Service[]);
  return settledListener(sharedListener(port.number, { chains: [], last: undefined, hasHttp: true, origin }, settings));
});

function originsOf(services: Iterable<Service>): readonly Origin[] {
  return [...services].map(({ origin }) => origin);
}

interface SharedChains {
  /** What some bytes are told by. */
  readonly chains: readonly FilterChain[];
  /** What takes all other bytes; undefined where no service does. */
  readonly last: FilterChain | undefined;
  readonly hasHttp: boolean;
  readonly origin: readonly Origin[];
}

function sharedListener(port: number, { chains: told, last, hasHttp, origin }: SharedChains, settings: MeshSettings): Listener {
  const passesOthers = hasHttp && settings.outboundMode === "allow-any";
  const needsOthers = told.length > 0 || last !== undefined || passesOthers;
  const isHttpAlone = told.length === 0 && last === undefined;
  const chains = [...told];
  if (hasHttp) chains.push(httpChain(String(port), `outbound_${ANY_ADDRESS}_${port}`, needsOthers, origin));
  else if (last === undefined) chains.push(...refusedHttpChains(settings));
  const defaultChain = last ?? (needsOthers ? unknownChain(settings) : undefined);
  return outboundListener({
    address: ANY_ADDRESS,
    port,
    bindToPort: false,
    chains,
    ...(defaultChain !== undefined && { defaultChain }),
    ...(isHttpAlone && { patient: true }),
    origin,
  });
}

/**
 * Without an address of its own, a service is told by its range of addresses and by the server name that the client asks for: the range is open
 * for that name alone. Addresses that a route asks for take the range's place.
 */
function narrow({ match }: FilterChain, service: Service, port: ServicePort, ranges: readonly string[]): FilterChainMatch {
  const prefixes = ranges.length > 0 && (match.prefixes ?? []).length === 0 && { prefixes: ranges };
  const byName = matchesAll(match) && isTls(port.protocol) && service.host !== "*";
  return { ...match, ...prefixes, ...(byName && { serverNames: [service.host], transportProtocol: "tls" as const }) };
}

/** Envoy refuses a listener that has two chains with one match. */
function sameMatch(a: FilterChain["match"], b: FilterChain["match"]): boolean {
  return (
    JSON.stringify([a.prefixes, a.serverNames, a.transportProtocol]) === JSON.stringify([b.prefixes, b.serverNames, b.transportProtocol])
  );
}

function cannotTell(service: Service, first: Service, port: number): Finding {
  return {
    code: "KMK2007",
    message: `bytes to port ${port} can't be told from those for "${first.host}"; "${service.host}" is not reached on it`,
    help: "give the service an address of its own, or let the mesh answer its clients' DNS",
    origin: service.origin,
    related: [{ message: "the one that is reached", resource: first.origin.ref }],
  };
}

function foreignAddress({ host, origin }: Service, address: string): Finding {
  return {
    code: "KMK3003",
    message: `address ${address} belongs to another namespace's service; "${host}" is not reached by it`,
    help: "take the address out, or leave addresses away: the mesh chooses one",
    origin,
  };
}

function tooWide({ host, namespace, origin }: Service, port: number): Finding {
  return {
    code: "KMK3003",
    message: `"${host}" would take other services' bytes on port ${port}; it is reached from namespace "${namespace}" only`,
    help: `give it addresses of its own, or set exportTo: ["."] if that is meant`,
    origin,
  };
}
