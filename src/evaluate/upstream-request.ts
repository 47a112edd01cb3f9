import type { RetryPolicy, RouteAction, VirtualHost } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { connectThrough, type FoundCluster, refuseRetryLimit, upstreamVersion } from "./cluster.ts";
import { openConfig } from "./config.ts";
import { toMs } from "./duration.ts";
import type { Exchange } from "./http-chain.ts";
import { makesCookie } from "./hash-policy.ts";
import { type HttpMessage, isGrpc, isWebSocket, valuesOf, withHeader } from "./http-message.ts";
import { isRetriable, type Failure } from "./retry-condition.ts";
import { type Branch, cutOff, localReply, step, type Trail, weigh } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

export interface Sending {
  readonly action: RouteAction;
  readonly host: VirtualHost | undefined;
  readonly exchange: Exchange;
  readonly cluster: FoundCluster;
}

export interface Limits {
  readonly policy: RetryPolicy | undefined;
  readonly retries: number;
  /** 0: none. */
  readonly timeoutMs: number;
  readonly perTryMs: number;
  readonly skipsTried: boolean;
}

const ROUTE_TIMEOUT_MS = 15_000;
const BY_REQUEST = [
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-hedge-on-per-try-timeout",
];
const MOST_RETRIES = 10;

/** How often and how long a route tries. @throws Undecidable where the request itself asks for other limits, or the route hedges */
export function limitsOf({ exchange, action, host }: Sending): Limits {
  const asked = BY_REQUEST.find((name) => valuesOf(exchange.message, name).length > 0);
  if (asked !== undefined) throw new Undecidable(`retries and timeouts by the request's ${asked}`);
  const policy = action.retryPolicy ?? host?.retryPolicy;
  if (action.hedgePolicy !== undefined || action.retryPolicyTypedConfig !== undefined) throw new Undecidable("a route's hedging");
  return {
    policy,
    retries: policy === undefined || policy.retryOn === "" ? 0 : Math.min(policy.numRetries ?? 1, MOST_RETRIES),
    timeoutMs: timeoutOf(action, exchange.message),
    perTryMs: toMs(policy?.perTryTimeout) ?? 0,
    skipsTried: skipsTried(policy),
  };
}

/** Sends a request upstream until an answer stays, within the route's limits. */
export function sendWithRetries(sending: Sending, limits: Limits): readonly Branch[] {
  const { trail } = sending.exchange;
  return attempt(sending, limits, { number: 1, tried: new Set(), trail, startMs: trail.delayMs });
}

function timeoutOf({ timeout, maxGrpcTimeout }: RouteAction, message: HttpMessage): number {
  const plain = toMs(timeout) ?? ROUTE_TIMEOUT_MS;
  const asked = isGrpc(message) ? valuesOf(message, "grpc-timeout")[0] : undefined;
  if (maxGrpcTimeout === undefined || asked === undefined) return plain;
  const match = /^(\d{1,8})([HMSmun])$/.exec(asked);
  const unit = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 }[match?.[2] ?? ""];
  if (match === null || unit === undefined) return plain;
  const limit = toMs(maxGrpcTimeout) ?? 0;
  return limit === 0 ? Number(match[1]) * unit : Math.min(limit, Number(match[1]) * unit);
}

function skipsTried(policy: RetryPolicy | undefined): boolean {
  for (const { name, configType } of policy?.retryHostPredicate ?? []) {
    if (configType.case !== "typedConfig" || openConfig(configType.value)?.kind !== "previousHosts")
      throw new Undecidable(`retry host predicate ${name}`);
  }
  return (policy?.retryHostPredicate.length ?? 0) > 0;
}

interface Attempt {
  readonly number: number;
  readonly tried: ReadonlySet<string>;
  readonly trail: Trail;
  readonly startMs: number;
}

function attempt(sending: Sending, limits: Limits, now: Attempt): readonly Branch[] {
  const { exchange, cluster } = sending;
  const { number, tried, trail } = now;
  const message = asAttempt(sending, limits, number);
  const ways = connectThrough({ ...exchange, message, trail }, cluster, limits.skipsTried ? tried : new Set());
  if (ways.length === 0) {
    const none = step(trail, exchange.site, "endpoint", { resource: cluster.resource, detail: "none is healthy" });
    return localReply(none, { status: 503, grpc: isGrpc(message), because: exchange.routing.because, body: "no healthy upstream" });
  }
  return ways.flatMap(({ endpoint, branch }) => {
    const settled = settle(sending, limits, now, isUnspeakable(sending) ? withoutUpgrade(branch, trail) : branch);
    const again = settled.failure !== undefined && number <= limits.retries && isRetriable(limits.policy, settled.failure);
    if (!again || isOver(limits, now, settled.branch) || settled.branch.trail.delayMs >= exchange.endsAtMs) return [settled.branch];
    if (isTooLarge(sending)) return withoutRetry(settled.branch, branch, sending);
    refuseRetryLimit(cluster, trail.atOnce);
    const detail = `attempt ${number} failed: ${settled.failure?.words ?? ""}; tried again`;
    const next = step(settled.branch.trail, exchange.site, "retry", {
      resource: exchange.routing.resource,
      path: exchange.routing.found?.path ?? "",
      detail,
    });
    return weigh(branch.share, attempt(sending, limits, { ...now, number: number + 1, tried: new Set([...tried, endpoint]), trail: next }));
  });
}

/** An upgrade is an extended CONNECT in HTTP/2 (RFC 8441), which nobody takes who isn't told to. */
function isUnspeakable({ exchange: { message }, cluster }: Sending): boolean {
  return isWebSocket(message) && upstreamVersion(cluster, message.version) === "http2";
}

/** The other side's codec ends the stream. */
function withoutUpgrade(branch: Branch, { arrivedMs }: Trail): Branch {
  if (branch.end.kind !== "response") return branch;
  return { ...branch, trail: { ...branch.trail, arrivedMs }, end: { kind: "closed", phase: "later", because: [], error: "protocol" } };
}

function isOver({ timeoutMs }: Limits, { startMs }: Attempt, { trail }: Branch): boolean {
  return timeoutMs > 0 && trail.delayMs - startMs >= timeoutMs;
}

/** The request as it is sent the n-th time. */
export function asAttempt({ exchange: { message }, host, action }: Sending, { timeoutMs, perTryMs }: Limits, number: number): HttpMessage {
  const counted = host?.includeRequestAttemptCount === true ? withHeader(message, "x-envoy-attempt-count", String(number)) : message;
  const expected = perTryMs > 0 ? perTryMs : timeoutMs;
  if (expected === 0) return counted;
  const timed = withHeader(counted, "x-envoy-expected-rq-timeout-ms", String(expected));
  return isGrpc(message) && action.maxGrpcTimeout !== undefined ? withHeader(timed, "grpc-timeout", `${expected}m`) : timed;
}

/** What can't be held back can't be sent again (a route's limit, else that of the connection). */
function isTooLarge({ exchange: { message, bufferBytes, routing }, host }: Sending): boolean {
  const limit = routing.found?.route.perRequestBufferLimitBytes ?? host?.perRequestBufferLimitBytes ?? bufferBytes;
  return (message.body?.length ?? 0) > Math.min(limit, bufferBytes);
}

/** An application answers when it has all of the request. Who refuses it earlier may do so before the proxy has seen that it is too large. */
function withoutRetry(settled: Branch, { end }: Branch, { cluster }: Sending): readonly Branch[] {
  if (end.kind === "response" && end.reply.by === "application") return [settled];
  throw new Undecidable(`a retry to ${cluster.cluster.name} of a body that is larger than the proxy's buffer`);
}

interface Settled {
  readonly branch: Branch;
  readonly failure?: Failure;
}

/** How one attempt looks from this proxy: the answer, or what it makes of none, within its time. */
function settle({ exchange, cluster }: Sending, limits: Limits, { trail, startMs }: Attempt, branch: Branch): Settled {
  const { end } = branch;
  if (end.kind === "undecided") return { branch };
  const spent = branch.trail.delayMs - trail.delayMs;
  const left = limits.timeoutMs === 0 ? Infinity : startMs + limits.timeoutMs - trail.delayMs;
  const perTry = limits.perTryMs === 0 ? Infinity : limits.perTryMs;
  if (spent > Math.min(left, perTry)) {
    const late = cutOff(branch.trail, trail.delayMs + Math.min(left, perTry));
    return failed(
      exchange,
      { ...branch, trail: late },
      504,
      perTry < left ? { kind: "per-try-timeout", words: "no answer in the time of one try" } : undefined,
    );
  }
  switch (end.kind) {
    case "response":
      return {
        branch: makesCookie(cluster.cluster, exchange) ? withCookie(branch) : branch,
        failure: {
          kind: "status",
          status: end.reply.status,
          grpcStatus: end.reply.grpcStatus,
          words: `status ${end.reply.grpcStatus ?? end.reply.status}`,
        },
      };
    case "refused":
      return failed(exchange, branch, 503, { kind: "connect-failure", words: "connection refused" });
    case "closed":
      return failed(
        exchange,
        branch,
        end.error === "protocol" ? 502 : 503,
        end.phase === "connect" && exchange.inbound === false
          ? { kind: "connect-failure", words: "connection closed" }
          : { kind: "reset", words: "connection closed" },
      );
    case "open":
      return failed(exchange, branch, 502, { kind: "reset", words: "the other side speaks no HTTP" });
  }
}

function withCookie(branch: Branch): Branch {
  const { end } = branch;
  if (end.kind !== "response") return branch;
  return { ...branch, end: { ...end, reply: { ...end.reply, generatedHeaders: [...(end.reply.generatedHeaders ?? []), "set-cookie"] } } };
}

function failed(exchange: Exchange, { share, trail, end }: Branch, status: number, failure: Failure | undefined): Settled {
  const because = end.because.length > 0 && end.kind !== "response" ? end.because : exchange.routing.because;
  const [reply] = localReply(trail, {
    status,
    grpc: isGrpc(exchange.message),
    because,
    body: status === 504 ? "upstream request timeout" : "upstream connect error",
  });
  const branch = reply === undefined ? { share, trail, end } : { ...reply, share };
  return failure === undefined ? { branch } : { branch, failure };
}
