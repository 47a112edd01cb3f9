import {
  answeredItself,
  type Decision,
  originsOf,
  OriginTable,
  type Outcome,
  type ProxyLogLine,
  type Received,
  refusedConnection,
  type ResponseOutcome,
  staysInPod,
  type Target,
  type Verdict,
  verdictOf,
  type WorkloadRef,
} from "../../evaluate/index.ts";
import { GRPC_STATUS } from "../../base/grpc-status.ts";
import { MeshError } from "../../model/error.ts";
import { PROBE_ADDRESS } from "../../model/pod-network.ts";
import type { Call } from "../document.ts";
import { externalHost } from "../names.ts";
import type { TestMesh } from "../test-mesh.ts";
import { withoutChecks } from "./checks.ts";
import { type Conversation, toConversations } from "./conversation.ts";
import type { Arrival, ClientOrder, ClientReport, Exchange } from "./exchange.ts";
import type { Sender } from "./lab.ts";
import { stepsOf } from "./steps.ts";

export interface Seen {
  readonly call: Call;
  readonly sender: Sender;
  readonly orders: readonly ClientOrder[];
  readonly exchange: Exchange;
  readonly mesh: TestMesh;
}

/**
 * What was seen of a call's requests, as the decision that the mesh took: each request is one way to end, and all have the same share.
 * @throws MeshError `timeout` where a client got no answer in its time.
 */
export function toDecision({ call, sender, orders, exchange, mesh }: Seen): Decision {
  const late = exchange.reports.find(({ kind }) => kind === "timeout");
  if (late !== undefined) throw new MeshError("timeout", `there was no answer within ${Math.round(late.elapsedMs / 1000)} s`);
  const table = new OriginTable((workload) => mesh.proxyOf(workload)?.snapshot);
  const issuers = call.request.tokens.map(({ issuer }) => issuer);
  const ways = conversationsOf(withoutChecks(exchange, orders, mesh), { sender, orders, mesh }).map((conversation, i) =>
    toOutcome({ conversation, sender, order: orders[i], mesh, table, verdict: verdictOf(conversation.lines, issuers, table) }),
  );
  return { outcomes: ways.map((outcome) => ({ share: 1 / ways.length, outcome })) };
}

/** A client that chooses among endpoints by itself is known by where its requests went. */
function conversationsOf(exchange: Exchange, { sender, orders, mesh }: Pick<Seen, "sender" | "orders" | "mesh">): readonly Conversation[] {
  const addresses = [...new Set(orders.map(({ destination }) => destination.address))];
  if (addresses.length < 2) return toConversations(exchange, sender);
  const byName = new Map(mesh.workloads.map(({ namespace, name, address }) => [`${namespace}/${name}`, address]));
  const apart = addresses.map((address) => {
    const reports = exchange.reports.filter((_, i) => orders[i]?.destination.address === address);
    const arrivals = exchange.arrivals.filter(({ at }) => byName.get(at) === address);
    const log = exchange.log.filter(({ workload: { namespace, name } }) => byName.get(`${namespace}/${name}`) === address);
    return [address, toConversations({ reports, arrivals, log }, sender).values()] as const;
  });
  const byAddress = new Map(apart);
  return orders.flatMap(({ destination }) => byAddress.get(destination.address)?.next().value ?? []);
}

interface Told {
  readonly conversation: Conversation;
  readonly sender: Sender;
  readonly order: ClientOrder | undefined;
  readonly mesh: TestMesh;
  readonly table: OriginTable;
  readonly verdict: Verdict | undefined;
}

function toOutcome(told: Told): Outcome {
  const { conversation, mesh, table, verdict } = told;
  const { report, lines } = conversation;
  const steps = [...stepsOf(lines, verdict, table), ...clientStep(told)];
  const parts = { steps, via: viaOf(told), delayMs: report.elapsedMs, because: [] };
  switch (report.kind) {
    case "response":
      return { ...parts, ...toResponse(report, told) };
    case "open":
      return { ...parts, ...toOpen(conversation, mesh) };
    case "refused":
      return { ...parts, kind: "refused", because: verdict?.because ?? refusedAt(told) };
    default:
      return { ...parts, kind: "closed", because: verdict?.because ?? refusedAt(told) };
  }
}

/** What the client saw of a connection that carried nothing, or that no proxy logged: all that is known then. */
function clientStep({ conversation: { report, lines }, sender, order }: Told): Outcome["steps"] {
  const isCarried = report.kind === "response" || report.kind === "open";
  if (order === undefined || (isCarried && lines.length > 0)) return [];
  const { address, port } = order.destination;
  const proxy = sender === "outside" ? "client outside" : `${sender.workload.namespace}/${sender.workload.name}`;
  const said = isCarried ? "no proxy had a say" : report.detail;
  const detail = [`${report.kind} at ${address}:${port}`, said].filter((text) => text !== "").join(": ");
  return [{ what: "client", proxy, origins: [], detail }];
}

function toResponse(report: Extract<ClientReport, { kind: "response" }>, { conversation, verdict }: Told) {
  const { arrivals, mirrors, lines } = conversation;
  const last = arrivals.at(-1);
  const isApplication = last !== undefined && !isOfProxy(lines, report.status);
  const grpcStatus = grpcStatusOf(report);
  return {
    kind: "response",
    status: report.status,
    ...(grpcStatus !== undefined && { grpcStatus }),
    by: isApplication ? "application" : "proxy",
    ...(isApplication && { to: targetOf(last), ...(last.request !== undefined && { received: toReceived(last, last.request, lines) }) }),
    attempts: arrivals.length,
    headers: report.headers,
    body: report.body,
    mirroredTo: [...new Set(mirrors.map(({ at }) => at))].map((at) => ({ target: targetFrom(at), share: 1 })),
    because: isApplication ? [] : (verdict?.because ?? []),
  } as const satisfies Partial<ResponseOutcome>;
}

/** An own answer of a proxy on the way; those to earlier tries, and to copies that never became a request with an id, don't count. */
function isOfProxy(lines: readonly ProxyLogLine[], status: number): boolean {
  const inbound = lines.filter(({ direction }) => direction === "inbound");
  const answer = inbound.findLast((line) => line.requestId !== undefined && line.status === status) ?? inbound.at(-1);
  return lines.some((line) => (line.direction !== "inbound" || line === answer) && answeredItself(line));
}

function toReceived({ at, tls }: Arrival, request: NonNullable<Arrival["request"]>, lines: readonly ProxyLogLine[]): Received {
  const principal = principalOf(lines, at);
  const { method, authority, path, protocol, headers } = request;
  return {
    method,
    authority,
    path,
    protocol,
    headers: headers.filter(([name]) => name !== "host" && !name.startsWith(":")),
    generatedHeaders: [],
    tls,
    ...(principal !== undefined && { principal }),
  };
}

/** The caller as the proxy of the application authenticated it; a copy of the request may have met another one's. */
function principalOf(lines: readonly ProxyLogLine[], at: string | undefined): string | undefined {
  const isThere = ({ namespace, name }: WorkloadRef) => at === undefined || `${namespace}/${name}` === at;
  return lines.findLast(({ direction, workload }) => direction === "inbound" && isThere(workload))?.peerPrincipal;
}

function toOpen({ arrivals, lines }: Conversation, mesh: TestMesh) {
  const last = arrivals.at(-1);
  const principal = principalOf(lines, last?.at);
  const to = last === undefined ? workloadOf(lines, mesh) : targetOf(last);
  if (to === undefined) throw new MeshError("bug", "a connection is open, and no application says that it has it");
  return { kind: "open", to, tls: last?.tls ?? false, ...(principal !== undefined && { principal }) } as const;
}

function workloadOf(lines: readonly ProxyLogLine[], mesh: TestMesh): Target | undefined {
  const last = lines.at(-1);
  if (last === undefined) return undefined;
  if (last.direction === "inbound") return last.workload;
  const address = last.upstreamHost?.replace(/:\d+$/, "") ?? "";
  const external = mesh.externalAt(address);
  return mesh.workloadAt(address) ?? (external === undefined ? undefined : { external });
}

function targetOf({ at }: Arrival): Target {
  return targetFrom(at);
}

function targetFrom(at: string): Target {
  const host = externalHost(at);
  if (host !== undefined) return { external: host };
  const [namespace = "", name = ""] = at.split("/");
  return { namespace, name };
}

/** In the trailers of an answer, or in the headers of one that has no body. */
function grpcStatusOf({ headers, trailers }: Extract<ClientReport, { kind: "response" }>): string | undefined {
  const value = [...trailers, ...headers].find(([name]) => name === "grpc-status")?.[1];
  return value === undefined ? undefined : (GRPC_STATUS[Number(value)] ?? "UNKNOWN");
}

/** Workloads whose proxies logged something of it; the caller's own comes first, whatever it logged, unless its pod's rules lead past it. */
function viaOf({ conversation: { lines }, sender, order, mesh }: Told): readonly WorkloadRef[] {
  const isBehindProxy = sender !== "outside" && mesh.proxyOf(sender.workload) !== undefined;
  const isPast = isBehindProxy && order !== undefined && staysInPod(mesh, sender.workload, { source: "", destination: order.destination });
  const first = isBehindProxy && !isPast ? [sender.workload] : [];
  const all = [...first, ...lines.map(({ workload }) => workload)];
  return [...new Map(all.map(({ namespace, name }) => [`${namespace}/${name}`, { namespace, name }])).values()];
}

/**
 * No proxy logged that it decided: the connection ended where the client went, at the listener of that workload's proxy. One that was passed on
 * was ended by its application, which is nobody's decision.
 */
function refusedAt({ conversation, order, mesh, table, sender }: Told): Outcome["because"] {
  if (conversation.lines.some(({ of, upstreamHost }) => of === "tcp" && upstreamHost !== undefined)) return [];
  const isBehindOwnProxy = sender !== "outside" && mesh.proxyOf(sender.workload) !== undefined;
  const workload = order === undefined || isBehindOwnProxy ? undefined : mesh.workloadAt(order.destination.address);
  const proxy = workload && mesh.proxyOf(workload)?.proxy;
  if (workload === undefined || order === undefined || proxy === undefined) return [];
  const isGateway = proxy.type === "router";
  // The prober comes past sidecars.
  if (!isGateway && order.localAddress === PROBE_ADDRESS) return [];
  const resource = isGateway ? table.listenerAt(workload, order.destination.port) : table.inboundListener(workload);
  if (resource === undefined) return [];
  return isGateway ? originsOf({ resource, path: "" }) : refusedConnection({ resource, path: "" });
}
