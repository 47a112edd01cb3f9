import type { FilterChain, FilterChainMatch } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import { FilterChainMatch_ConnectionSourceType as SourceType } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import { inRange } from "./cidr-match.ts";
import { Undecidable } from "./undecidable.ts";

/** What a listener's filters found out before a chain is chosen. */
export interface Seen {
  readonly port: number;
  readonly address: string;
  readonly source: string;
  readonly serverName: string;
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
}

interface Criterion {
  readonly name: string;
  /** How well a chain fits, higher is better; undefined where it does not. */
  readonly rank: (match: Partial<FilterChainMatch>, seen: Seen) => number | undefined;
}

/**
 * Envoy's order. At each criterion only the chains of the most specific value that fits stay, and there is no way back from a choice that
 * turns out to lead nowhere.
 */
const CRITERIA: readonly Criterion[] = [
  { name: "destination port", rank: ({ destinationPort }, { port }) => exactOrAny(destinationPort, port) },
  { name: "destination address", rank: ({ prefixRanges = [] }, { address }) => longestPrefix(prefixRanges, address) },
  { name: "server name", rank: ({ serverNames = [] }, { serverName }) => serverNameRank(serverNames, serverName) },
  {
    name: "transport protocol",
    rank: ({ transportProtocol = "" }, seen) => exactOrAny(transportProtocol || undefined, seen.transportProtocol),
  },
  {
    name: "application protocol",
    rank: ({ applicationProtocols = [] }, seen) => protocolRank(applicationProtocols, seen.applicationProtocols),
  },
  { name: "peer's address", rank: ({ directSourcePrefixRanges = [] }, { source }) => longestPrefix(directSourcePrefixRanges, source) },
  { name: "source type", rank: ({ sourceType = SourceType.ANY }, seen) => sourceTypeRank(sourceType, seen) },
  { name: "source address", rank: ({ sourcePrefixRanges = [] }, { source }) => longestPrefix(sourcePrefixRanges, source) },
];

export type ChainChoice = { readonly index: number } | { readonly failedAt: string };

/** The index of the chain that takes a connection, or the criterion at which the last one dropped out. */
export function chooseFilterChain(chains: readonly FilterChain[], seen: Seen): ChainChoice {
  let left = chains.map((chain, index) => ({ index, match: (chain.filterChainMatch ?? {}) as Partial<FilterChainMatch> }));
  if (chains.some(({ filterChainMatch }) => (filterChainMatch?.sourcePorts.length ?? 0) > 0))
    throw new Undecidable("filter chains by source port");
  for (const { name, rank } of CRITERIA) {
    const ranked = left.map((chain) => ({ chain, fit: rank(chain.match, seen) }));
    const best = Math.max(...ranked.map(({ fit }) => fit ?? -1));
    if (best < 0) return { failedAt: name };
    left = ranked.filter(({ fit }) => fit === best).map(({ chain }) => chain);
  }
  const [first] = left;
  return first === undefined ? { failedAt: "any" } : { index: first.index };
}

function exactOrAny<T>(wanted: T | undefined, seen: T): number | undefined {
  if (wanted === undefined) return 0;
  return wanted === seen ? 1 : undefined;
}

function longestPrefix(ranges: FilterChainMatch["prefixRanges"], address: string): number | undefined {
  if (ranges.length === 0) return 0;
  const lengths = ranges.filter((range) => inRange(range, address)).map(({ prefixLen }) => prefixLen ?? 0);
  return lengths.length === 0 ? undefined : 1 + Math.max(...lengths);
}

/** An exact name before the longest wildcard before none. */
function serverNameRank(names: readonly string[], seen: string): number | undefined {
  if (names.length === 0) return 0;
  const fits = names.flatMap((name) => {
    if (name === seen && seen !== "") return [10_000];
    return name.startsWith("*.") && seen.endsWith(name.slice(1)) && seen.length > name.length - 1 ? [name.length] : [];
  });
  return fits.length === 0 ? undefined : Math.max(...fits);
}

/** The client's first word that any chain names decides. */
function protocolRank(wanted: readonly string[], seen: readonly string[]): number | undefined {
  if (wanted.length === 0) return 0;
  const at = seen.findIndex((word) => wanted.includes(word));
  return at === -1 ? undefined : seen.length - at;
}

function sourceTypeRank(type: SourceType, { source, address }: Seen): number | undefined {
  if (type === SourceType.ANY) return 0;
  const local = source === address || source.startsWith("127.") || source === "::1";
  return local === (type === SourceType.SAME_IP_OR_LOOPBACK) ? 1 : undefined;
}
