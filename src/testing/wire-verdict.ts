import { GRPC_STATUS } from "../base/grpc-status.ts";
import type { Outcome } from "../evaluate/index.ts";
import type { HeaderLines } from "../evaluate/http-message.ts";
import { type Arrival, nameOf } from "./wire-application.ts";
import type { Seen } from "./wire-client.ts";

/** What the evaluator says of one way, in a form that can be compared with what was seen. */
export interface WireVerdict {
  readonly kind: "response" | "open" | "closed" | "undecided";
  readonly status?: number;
  readonly grpcStatus?: string;
  /** `proxy`, a workload's name, or `external:HOST`. */
  readonly to?: string;
  readonly attempts?: number;
  readonly answered?: readonly string[];
  readonly request?: Readonly<Record<"protocol" | "method" | "authority" | "path", string>>;
  readonly headers?: readonly string[];
  readonly generated?: readonly string[];
  readonly principal?: string;
  readonly tls?: boolean;
  readonly mirroredTo?: readonly string[];
  readonly at?: string;
}

const XFCC = "x-forwarded-client-cert";
/** Of the connection, not of the request. */
const OF_CONNECTION = new Set(["connection", "transfer-encoding", "content-length", "keep-alive", "upgrade", "te"]);
const ANSWER_NOISE = new Set([
  ...OF_CONNECTION,
  "date",
  "server",
  "x-envoy-upstream-service-time",
  "content-type",
  "grpc-status",
  "grpc-message",
  "x-envoy-attempt-count",
]);

export function toVerdict(outcome: Outcome): WireVerdict {
  switch (outcome.kind) {
    case "undecided":
      return { kind: "undecided", at: outcome.at };
    case "open":
      return { kind: "open", to: nameOf(outcome.to), tls: outcome.tls };
    case "closed":
    case "refused":
      return { kind: "closed" };
    case "response":
      break;
  }
  const { status, grpcStatus, by, to, attempts, received, headers, generatedHeaders: made = [], mirroredTo } = outcome;
  const answered = lines([...headers, ...made.map((name) => [name, ""] as const)], ANSWER_NOISE, made);
  const common = {
    kind: "response" as const,
    status,
    attempts,
    answered,
    mirroredTo: mirroredTo.map(({ target }) => nameOf(target)).sort(),
    ...(grpcStatus !== undefined && { grpcStatus }),
  };
  if (by === "proxy" || received === undefined || to === undefined) return { ...common, to: "proxy" };
  const { protocol, method, authority, path, generatedHeaders, principal, tls } = received;
  const arrived = [...received.headers, ...generatedHeaders.map((name) => [name, ""] as const)];
  return {
    ...common,
    to: nameOf(to),
    request: { protocol, method, authority, path },
    headers: lines(arrived, OF_CONNECTION, generatedHeaders),
    generated: generatedHeaders,
    tls,
    ...(principal !== undefined && { principal }),
  };
}

interface Arrivals {
  readonly own: readonly Arrival[];
  readonly copies: readonly Arrival[];
}

/** Where a verdict and what really happened differ, in words. */
export function compare(verdict: WireVerdict, seen: Seen, { own, copies }: Arrivals): readonly string[] {
  const found: string[] = [];
  const check = (what: string, ours: unknown, theirs: unknown) => {
    const [mine, other] = [JSON.stringify(ours), JSON.stringify(theirs)];
    if (mine !== other) found.push(`${what}: evaluator ${mine}, Envoy ${other}`);
  };
  check("kind", verdict.at === undefined ? verdict.kind : `${verdict.kind} at ${verdict.at}`, seen.kind);
  const last = own.at(-1);
  if (seen.kind === "open") {
    check("to", verdict.to, last?.target);
    check("tls", verdict.tls, last?.tls);
  }
  if (seen.kind !== "response" || verdict.kind !== "response") return found;
  check("status", verdict.status, seen.status);
  check("grpc-status", verdict.grpcStatus, grpcStatusOf(seen));
  check("attempts", verdict.attempts, own.length);
  check("answered", verdict.answered, lines(seen.headers, ANSWER_NOISE, verdict.answered));
  check("mirrored to", verdict.mirroredTo, [...new Set(copies.map(({ target }) => target))].sort());
  if (verdict.to === "proxy") return found;
  check("to", verdict.to, last?.target);
  const request = last?.request;
  if (request === undefined || verdict.request === undefined) return [...found, "no request arrived"];
  const { protocol, method, authority, path } = request;
  check("request", verdict.request, { protocol, method, authority, path });
  check("tls", verdict.tls, last?.tls);
  const generated = verdict.generated ?? [];
  check("headers", verdict.headers, lines(request.headers, OF_CONNECTION, generated));
  const xfcc = request.headers.find(([name]) => name === XFCC)?.[1];
  if (xfcc !== undefined) check("principal", verdict.principal, /(?:^|;)URI=([^;,]*)/.exec(xfcc)?.[1]);
  return found;
}

function grpcStatusOf({ headers, trailers }: Extract<Seen, { kind: "response" }>): string | undefined {
  const code = [...trailers, ...headers].find(([name]) => name === "grpc-status")?.[1];
  return code === undefined ? undefined : GRPC_STATUS[Number(code)];
}

function lines(headers: HeaderLines, noise: ReadonlySet<string>, generated: readonly string[] = []): readonly string[] {
  return headers
    .filter(([name]) => !noise.has(name) && name !== "x-case")
    .map(([name, value]) => (generated.includes(name) ? name : `${name}: ${value}`))
    .sort();
}
