import { TrafficDirection } from "../gen/envoy/config/core/v3/base_pb.js";
import type { FilterChain, ListenerFilterChainMatchPredicate } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import type { Listener } from "../gen/envoy/config/listener/v3/listener_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { openConfig } from "./config.ts";
import type { Connection } from "./connection.ts";
import { looksLikeHttp } from "./first-line.ts";
import { chooseFilterChain, type Seen } from "./filter-chain-match.ts";
import { lowerAscii } from "./string-match.ts";
import type { Site } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

export interface Opened {
  readonly resource: EnvoyResource;
  readonly listener: Listener;
}

/**
 * The listener that takes a connection. Captured traffic comes to the one that reads the original destination, and outbound goes on to the one of
 * that address, where there is one; else whoever is bound to address and port.
 */
export function findListener(site: Site, { destination }: Connection, direction: "inbound" | "outbound"): Opened | undefined {
  const listeners = listenersOf(site);
  const captured = site.proxy.capture === "redirect" && site.proxy.type === "sidecar";
  if (!captured)
    return byAddress(
      listeners.filter(({ listener }) => binds(listener)),
      destination,
    );
  const wanted = TrafficDirection[direction === "inbound" ? "INBOUND" : "OUTBOUND"];
  const entry = listeners.find(
    ({ listener }) => listener.trafficDirection === wanted && binds(listener) && readsOriginalDestination(listener),
  );
  if (entry === undefined || entry.listener.useOriginalDst !== true) return entry;
  return (
    byAddress(
      listeners.filter(({ listener }) => listener !== entry.listener),
      destination,
    ) ?? entry
  );
}

function listenersOf({ snapshot }: Site): readonly Opened[] {
  return [...(snapshot.get("listener")?.values() ?? [])]
    .map((resource) => ({ resource, listener: resource.message as Listener }))
    .filter(({ listener }) => listener.filterChains.length > 0 || listener.defaultFilterChain !== undefined);
}

/** Whether a proxy itself listens on a port of its pod. */
export function bindsPort(snapshot: Site["snapshot"], port: number): boolean {
  return [...(snapshot.get("listener")?.values() ?? [])].some(({ message }) => {
    const bound = (message as Listener).address?.address;
    return binds(message as Listener) && bound?.case === "socketAddress" && bound.value.portSpecifier.value === port;
  });
}

function binds({ bindToPort }: Listener): boolean {
  return bindToPort !== false;
}

function readsOriginalDestination({ listenerFilters }: Listener): boolean {
  return listenerFilters.some(
    ({ configType }) => configType.case === "typedConfig" && openConfig(configType.value)?.kind === "originalDestination",
  );
}

function byAddress(listeners: readonly Opened[], { address, port }: Connection["destination"]): Opened | undefined {
  const at = (wanted: readonly string[]) =>
    listeners.find(({ listener }) => {
      const bound = listener.address?.address;
      return bound?.case === "socketAddress" && bound.value.portSpecifier.value === port && wanted.includes(bound.value.address);
    });
  return at([address]) ?? at(["0.0.0.0", "::"]);
}

export type ChosenChain = { readonly chain: FilterChain; readonly path: string } | { readonly failedAt: string };

/** What listener filters see of the first bytes, and the chain that they lead to. */
export function findFilterChain({ listener }: Opened, connection: Connection): ChosenChain {
  if (listener.filterChainMatcher !== undefined) throw new Undecidable("a listener's filter chain matcher");
  const choice = chooseFilterChain(listener.filterChains, detect(listener, connection));
  if ("index" in choice) {
    const chain = listener.filterChains[choice.index];
    if (chain !== undefined) return { chain, path: `filterChains[${choice.index}]` };
  }
  if (listener.defaultFilterChain !== undefined) return { chain: listener.defaultFilterChain, path: "defaultFilterChain" };
  return "failedAt" in choice ? choice : { failedAt: "any" };
}

function detect(listener: Listener, { source, destination, stream }: Connection): Seen {
  let seen: Seen = { ...destination, source, serverName: "", transportProtocol: "raw_buffer", applicationProtocols: [] };
  for (const { name, configType, filterDisabled } of listener.listenerFilters) {
    if (filterDisabled !== undefined && holds(filterDisabled, destination.port)) continue;
    const kind = configType.case === "typedConfig" ? openConfig(configType.value)?.kind : undefined;
    if (kind === "tlsInspector" && stream.kind === "tls") {
      const { sni, alpn } = stream.hello;
      seen = { ...seen, serverName: lowerAscii(sni), transportProtocol: "tls", applicationProtocols: alpn };
    } else if (kind === "httpInspector" && stream.kind === "http" && looksLikeHttp(stream.message)) {
      seen = { ...seen, applicationProtocols: [stream.message.version === "http2" ? "h2c" : "http/1.1"] };
    } else if (kind !== "tlsInspector" && kind !== "httpInspector" && kind !== "originalDestination") {
      throw new Undecidable(`listener filter ${name}`);
    }
  }
  return seen;
}

function holds({ rule }: ListenerFilterChainMatchPredicate, port: number): boolean {
  switch (rule.case) {
    case "orMatch":
      return rule.value.rules.some((inner) => holds(inner, port));
    case "andMatch":
      return rule.value.rules.every((inner) => holds(inner, port));
    case "notMatch":
      return !holds(rule.value, port);
    case "anyMatch":
      return rule.value;
    case "destinationPortRange":
      return port >= rule.value.start && port < rule.value.end;
    default:
      throw new Undecidable("a listener filter's condition");
  }
}
