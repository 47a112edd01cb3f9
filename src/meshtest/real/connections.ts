import type { ProxyLogLine } from "../../evaluate/index.ts";
import type { Arrival, ClientReport } from "./exchange.ts";

/** What was seen on the way of a request. */
export interface Found {
  readonly arrivals: Arrival[];
  readonly lines: ProxyLogLine[];
}

/**
 * Puts to each report what its connection led to, hop by hop, by the ends of the connections; what no report leads to stays. A connection that carries
 * several requests is no sign which of them went on.
 *
 * A client and its own proxy share an address, and may use one port at the same time for different destinations: hence `isFirst`, whether a line is of a
 * proxy that the client itself speaks to.
 */
export function joinByConnection(
  { arrivals, lines }: Found,
  reports: readonly ClientReport[],
  isFirst: (line: ProxyLogLine) => boolean,
): { readonly joined: readonly Found[]; readonly rest: Found } {
  const taken = new Set<Arrival | ProxyLogLine>();
  const linesFrom = Map.groupBy(lines, ({ remote }) => remote);
  const linesOf = Map.groupBy(lines, ({ remote, local }) => `${remote} ${local}`);
  const arrivalsFrom = Map.groupBy(arrivals, cameFrom);
  const pooled = new Set([...Map.groupBy(lines, hopOf)].filter(([, own]) => own.length > 1).map(([key]) => key));
  const joined = reports.map(({ local }): Found => {
    const own: Found = { arrivals: [], lines: [] };
    const followLine = (line: ProxyLogLine) => {
      if (!take(line, taken)) return;
      own.lines.push(line);
      if (pooled.has(hopOf(line))) return;
      for (const arrival of arrivalsFrom.get(wentBy(line)) ?? []) if (take(arrival, taken)) own.arrivals.push(arrival);
      for (const next of linesOf.get(hopOf(line)) ?? []) if (next.direction !== "outbound") followLine(next);
    };
    for (const line of local === undefined ? [] : (linesFrom.get(local) ?? [])) if (isFirst(line)) followLine(line);
    return own;
  });
  const isFree = (one: Arrival | ProxyLogLine) => !taken.has(one);
  return { joined, rest: { arrivals: arrivals.filter(isFree), lines: lines.filter(isFree) } };
}

function take(one: Arrival | ProxyLogLine, taken: Set<Arrival | ProxyLogLine>): boolean {
  if (taken.has(one)) return false;
  taken.add(one);
  return true;
}

/** The connection to the next hop by its two ends; within a pod loopback addresses are the pod's. */
function hopOf({ workload: { namespace, name }, upstreamLocal, upstreamHost }: ProxyLogLine): string {
  const pod = upstreamLocal?.startsWith("127.") ? `${namespace}/${name} ` : "";
  return `${pod}${upstreamLocal} ${upstreamHost}`;
}

/** The same as an application sees it, which knows the port that it listens on. */
function wentBy({ workload: { namespace, name }, upstreamLocal = "", upstreamHost = "" }: ProxyLogLine): string {
  return endsOf(`${namespace}/${name}`, upstreamLocal, upstreamHost.slice(upstreamHost.lastIndexOf(":") + 1));
}

function cameFrom({ at, peerAddress, peerPort, port }: Arrival): string {
  return endsOf(at, `${peerAddress}:${peerPort}`, String(port));
}

function endsOf(pod: string, from: string, port: string): string {
  return `${from.startsWith("127.") ? `${pod} ` : ""}${from} ${port}`;
}
