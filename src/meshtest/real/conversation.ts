import type { ProxyLogLine } from "../../evaluate/index.ts";
import { type Found, joinByConnection } from "./connections.ts";
import type { Arrival, ClientReport, Exchange } from "./exchange.ts";
import type { Sender } from "./lab.ts";
import { isShadow } from "./mirrors.ts";

/** What belongs to one of an exchange's requests. */
export interface Conversation {
  readonly report: ClientReport;
  /** Requests and connections that reached an application, copies left out. */
  readonly arrivals: readonly Arrival[];
  /** Copies of the request. */
  readonly mirrors: readonly Arrival[];
  /** From the client's end to the application's, as far as it got; of the copies none. */
  readonly lines: readonly ProxyLogLine[];
}

/**
 * Tells apart what belongs to each request of an exchange. A request id joins a request's arrivals and log lines; which report is theirs follows
 * from the order, and, since answers to several at a time come in any order, from the status. What has no id goes by order alone; of several
 * requests that have ids, what is without one (a try that failed before it was a request) is nobody's.
 */
export function toConversations({ reports, arrivals, log }: Exchange, sender: Sender): readonly Conversation[] {
  const { byId, loose } = groupById(arrivals, log);
  const told = withoutLate([...byId.values()], sender);
  const [only, second] = reports;
  if (only !== undefined && second === undefined) {
    const own = told.length > 1 ? told.filter((group) => answers(group, only, sender)) : told;
    const parts = [...own, loose];
    const lines = new Set(parts.flatMap((part) => part.lines));
    return [toConversation(only, { arrivals: parts.flatMap((part) => part.arrivals), lines: log.filter((line) => lines.has(line)) })];
  }
  // A client that sends the same id each time leaves only the order.
  const isTold = told.every((group) => (firstLines(group.lines, sender).length || group.arrivals.length) <= 1);
  const groups = isTold ? [...told] : [];
  const rest = isTold ? loose : { arrivals: [...arrivals], lines: [...log] };
  const shares = dealt(rest, reports, sender);
  return reports.map((report, i) => {
    const index = groups.findIndex((group) => answers(group, report, sender));
    const [own = shares[i]] = index === -1 ? [] : groups.splice(index, 1);
    return toConversation(report, own ?? { arrivals: [], lines: [] });
  });
}

/** A copy of an earlier call's request may come when nobody waits for it any more: no first proxy logged it, and no application got it itself. */
function withoutLate(groups: readonly Found[], sender: Sender): readonly Found[] {
  const isBegun = ({ lines }: Found) => firstLines(lines, sender).length > 0;
  if (!groups.some(isBegun)) return groups;
  return groups.filter((group) => isBegun(group) || group.arrivals.some(({ request }) => !isShadow(request?.authority)));
}

function groupById(
  arrivals: readonly Arrival[],
  log: readonly ProxyLogLine[],
): { readonly byId: Map<string, Found>; readonly loose: Found } {
  const byId = new Map<string, Found>();
  const loose: Found = { arrivals: [], lines: [] };
  const groupOf = (id: string | undefined): Found => {
    if (id === undefined || id === "") return loose;
    const known = byId.get(id) ?? { arrivals: [], lines: [] };
    byId.set(id, known);
    return known;
  };
  // The log is in the order in which requests began, which is that of the reports.
  for (const line of log) groupOf(line.requestId).lines.push(line);
  for (const arrival of arrivals) groupOf(arrival.request?.headers.find(([name]) => name === "x-request-id")?.[1]).arrivals.push(arrival);
  return { byId, loose };
}

/** The status that the first proxy logged is what the client got: its own, or, where it has none, the first on the way. */
function answers({ lines }: Found, report: ClientReport, sender: Sender): boolean {
  const [first] = [...firstLines(lines, sender), ...firstLines(lines, "outside")];
  const status = first?.status ?? 0;
  return status === 0 || (report.kind === "response" && status === report.status);
}

/** What the proxy logged that the client itself speaks to. */
function firstLines(lines: readonly ProxyLogLine[], sender: Sender): readonly ProxyLogLine[] {
  if (sender !== "outside") {
    const { namespace, name } = sender.workload;
    return lines.filter(
      ({ direction, workload }) => direction === "outbound" && workload.name === name && workload.namespace === namespace,
    );
  }
  const ofGateway = lines.filter(({ direction }) => direction === "gateway");
  return ofGateway.length > 0 ? ofGateway : lines.filter(({ direction }) => direction === "inbound");
}

/** To each report what its connection led to; of the rest the n-th arrival, and of each proxy the n-th line, to the n-th that such a thing can belong to. */
function dealt(found: Found, reports: readonly ClientReport[], sender: Sender): readonly Found[] {
  const { joined: shares, rest } = joinByConnection(found, reports, (line) => firstLines([line], sender).length > 0);
  const { arrivals, lines } = rest;
  const lacking = shares.filter((share, i) => share.arrivals.length === 0 && ["open", "response"].includes(reports[i]?.kind ?? ""));
  const reached = lacking.length === 0 ? shares : lacking;
  for (const [i, arrival] of arrivals.entries()) reached[i % reached.length]?.arrivals.push(arrival);
  for (const [proxy, own] of Map.groupBy(lines, proxyOf)) {
    const without = shares.filter((share) => !share.lines.some((line) => proxyOf(line) === proxy));
    const free = without.length === 0 ? shares : without;
    for (const [i, line] of own.entries()) free[i % free.length]?.lines.push(line);
  }
  return shares;
}

function proxyOf({ workload: { namespace, name }, direction }: ProxyLogLine): string {
  return `${namespace}/${name} ${direction}`;
}

function toConversation(report: ClientReport, { arrivals, lines }: Found): Conversation {
  const isCopy = (arrival: Arrival) => isShadow(arrival.request?.authority);
  const mirrors = arrivals.filter(isCopy);
  const own = arrivals.filter((arrival) => !isCopy(arrival) && hasSaidSomething(arrival));
  const copied = new Set(mirrors.map(({ at }) => at));
  for (const { at } of own) copied.delete(at);
  const isOfCopy = ({ authority, direction, workload }: ProxyLogLine) =>
    isShadow(authority) || (direction === "inbound" && copied.has(`${workload.namespace}/${workload.name}`));
  return { report, arrivals: own, mirrors, lines: inOrder(lines.filter((line) => !isOfCopy(line))) };
}

/** A proxy opens the connection to the application before its policies see the first byte: nothing arrived on one that was denied then. */
function hasSaidSomething({ request, bytes }: Arrival): boolean {
  return request !== undefined || bytes !== "";
}

/** The caller's proxy, gateways, the receiver's; tries of one request follow each other. */
function inOrder(lines: readonly ProxyLogLine[]): readonly ProxyLogLine[] {
  const of = (wanted: ProxyLogLine["direction"]) => lines.filter(({ direction }) => direction === wanted);
  return [...of("outbound"), ...of("gateway"), ...of("inbound")];
}
