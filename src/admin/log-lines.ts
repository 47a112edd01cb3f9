import { OriginTable, type ProxyLogLine, verdictOf } from "../evaluate/index.ts";
import type { Origin } from "../model/origin.ts";
import { formatPosition, type SourcePosition } from "../model/position.ts";
import { formatDeclared, formatRef } from "../model/resource.ts";
import type { ProxyConfig } from "./backend.ts";
import { Refusal } from "./status-object.ts";

type Fields = Readonly<Record<string, unknown>>;
type Workload = { readonly namespace: string; readonly name: string; readonly type: "sidecar" | "router" };

/** A declared resource that decided, and where it stands. */
export interface Decider {
  readonly resource: string;
  /** `file:line`; empty for what stands in no file. */
  readonly source: string;
}

/** Of each line, in order, what decided; and what the access log holds, null where it is off. */
export interface DecidersAnswer {
  readonly items: readonly (readonly Decider[])[];
  readonly accessLog: ProxyConfig["accessLog"] | null;
}

const MAX_LINES = 1000;

/**
 * For each of the lines that a proxy wrote into its access log: which resources made it answer by itself. Empty where the answer is somebody
 * else's, or where what decided is gone meanwhile. @throws Refusal `Invalid` for anything but a list of lines.
 */
export function decidersOf(lines: unknown, proxy: Workload, { snapshot, locate, accessLog }: ProxyConfig): DecidersAnswer {
  if (!Array.isArray(lines) || lines.length > MAX_LINES || !lines.every(isFields))
    throw new Refusal("Invalid", `lines is not a list of at most ${MAX_LINES} lines of an access log`);
  const table = new OriginTable(() => snapshot);
  const items = lines.map((fields) => {
    const line = toProxyLogLine(fields, proxy);
    const because = verdictOf([line], [], table)?.because ?? [];
    return toDeciders(because.length > 0 ? because : ofCluster(line, table), locate);
  });
  return { items, accessLog: accessLog ?? null };
}

/** Of one resource the first line: a policy with ten rules of which none matched is one reason, not ten. */
function toDeciders(because: readonly (Origin | string)[], locate: ProxyConfig["locate"]): readonly Decider[] {
  const first = new Map<string, { readonly resource: string; readonly position: SourcePosition | undefined }>();
  for (const origin of because) {
    const [key, resource] = typeof origin === "string" ? [origin, origin] : [formatRef(origin.ref), formatDeclared(origin.ref)];
    const position = typeof origin === "string" ? undefined : locate(origin);
    const known = first.get(key)?.position;
    if (known === undefined || (position !== undefined && position.line < known.line)) first.set(key, { resource, position });
  }
  return [...first.values()].map(({ resource, position }) => ({
    resource,
    source: position === undefined ? "" : formatPosition(position),
  }));
}

/** What failed further on is the business of whoever made the cluster. */
function ofCluster(line: ProxyLogLine, table: OriginTable) {
  if (!/\b(UF|UH|UO|UT|URX)\b/.test(line.flags ?? "")) return [];
  return table.find(line.workload, "cluster", line.cluster)?.origins.get("") ?? [];
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of `translate/envoy/access-log.ts`, in the words of those who judge a line. */
function toProxyLogLine(fields: Fields, { namespace, name, type }: Workload): ProxyLogLine {
  const text = (key: string) => (typeof fields[key] === "string" && fields[key] !== "" && fields[key] !== "-" ? fields[key] : undefined);
  const own = {
    flags: text("response_flags"),
    details: text("response_code_details"),
    terminationDetails: text("connection_termination_details"),
    transportFailure: text("downstream_transport_failure_reason") ?? text("upstream_transport_failure_reason"),
    filterChain: text("filter_chain"),
    route: text("route"),
    cluster: text("upstream_cluster"),
    upstreamHost: text("upstream_host"),
    peerPrincipal: text("peer"),
    requestId: text("request_id"),
    authority: text("authority"),
  };
  const isOutbound = own.cluster !== undefined && !own.cluster.startsWith("inbound|");
  return {
    workload: { namespace, name },
    of: text("method") === undefined ? "tcp" : "request",
    direction: type === "router" ? "gateway" : isOutbound ? "outbound" : "inbound",
    ...(typeof fields["status"] === "number" && { status: fields["status"] }),
    ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
  };
}
