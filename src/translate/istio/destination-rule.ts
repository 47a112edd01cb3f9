import { parseDuration } from "../../base/duration.ts";
import type { CircuitBreaker, Cluster, LoadBalancing, OutlierDetection } from "../../ir/cluster.ts";
import type { DestinationRule, Subset, TrafficPolicy } from "../../mesh/index.ts";

type PortPolicy = NonNullable<TrafficPolicy["portLevelSettings"]>[number];

/** What a DestinationRule says of a host's traffic. */
export type Rule = Pick<DestinationRule, "subsets" | "trafficPolicy">;

/** In place of a rule where a host has none. */
export const NO_RULE: Rule = Object.freeze({ subsets: [] });

/** The part of a traffic policy that holds for one port of one subset. */
export type EffectivePolicy = Pick<PortPolicy, "connectionPool" | "loadBalancer" | "outlierDetection" | "tls">;

/**
 * Istio's rule of precedence: a subset's fields replace the rule's, one by one; settings for the port replace all of them at once, so that what a
 * port's settings leave out is at its default.
 */
export function effectivePolicy(
  rule: Pick<DestinationRule, "trafficPolicy"> | undefined,
  subset: Subset | undefined,
  port: number,
): EffectivePolicy {
  const general = atPort(rule?.trafficPolicy?.policy, port);
  const own = subset?.policy;
  if (own === undefined) return general;
  if (own.portLevelSettings?.some((setting) => setting.port?.number === port) ?? false) return atPort(own, port);
  return { ...general, ...defined(own) };
}

function atPort(policy: TrafficPolicy | undefined, port: number): EffectivePolicy {
  if (policy === undefined) return {};
  return defined(
    (policy.portLevelSettings?.find((setting) => setting.port?.number === port) as EffectivePolicy | undefined) ??
      (policy as EffectivePolicy),
  );
}

function defined({ connectionPool, loadBalancer, outlierDetection, tls }: Partial<EffectivePolicy>): EffectivePolicy {
  return {
    ...(connectionPool !== undefined && { connectionPool }),
    ...(loadBalancer !== undefined && { loadBalancer }),
    ...(outlierDetection !== undefined && { outlierDetection }),
    ...(tls !== undefined && { tls }),
  };
}

/** Timeouts and limits of connections. */
export function toConnectionSettings({ connectionPool }: EffectivePolicy): Partial<Cluster> {
  const tcp = connectionPool?.tcp;
  const http = connectionPool?.http;
  const connectTimeoutMs = ms(tcp?.connectTimeout);
  const idleTimeoutMs = ms(http?.idleTimeout) ?? ms(tcp?.idleTimeout);
  const maxConnectionDurationMs = ms(tcp?.maxConnectionDuration);
  const circuitBreaker = toCircuitBreaker(connectionPool);
  const keepalive = tcp?.tcpKeepalive;
  const timeS = seconds(keepalive?.time);
  const intervalS = seconds(keepalive?.interval);
  return {
    ...(connectTimeoutMs !== undefined && connectTimeoutMs > 0 && { connectTimeoutMs }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(maxConnectionDurationMs !== undefined && { maxConnectionDurationMs }),
    ...(circuitBreaker !== undefined && { circuitBreaker }),
    ...(keepalive !== undefined && {
      tcpKeepalive: {
        ...(timeS !== undefined && { timeS }),
        ...(intervalS !== undefined && { intervalS }),
        ...(keepalive.probes !== undefined && { probes: keepalive.probes }),
      },
    }),
  };
}

function toCircuitBreaker(pool: EffectivePolicy["connectionPool"]): CircuitBreaker | undefined {
  const { http1MaxPendingRequests, http2MaxRequests, maxRetries, maxRequestsPerConnection } = pool?.http ?? {};
  const maxConnections = pool?.tcp?.maxConnections;
  const limits = {
    ...(isSet(maxConnections) && { maxConnections }),
    ...(isSet(http1MaxPendingRequests) && { maxPendingRequests: http1MaxPendingRequests }),
    ...(isSet(http2MaxRequests) && { maxRequests: http2MaxRequests }),
    ...(isSet(maxRetries) && { maxRetries }),
    ...(isSet(maxRequestsPerConnection) && { maxRequestsPerConnection }),
  };
  return Object.keys(limits).length === 0 ? undefined : limits;
}

/** 0 stands for "no limit of mine". */
function isSet(value: number | undefined): value is number {
  return value !== undefined && value > 0;
}

/** Defaults are Istio's: 10 s between sweeps, 30 s out at first, 10 % of the endpoints at most. */
export function toOutlierDetection({ outlierDetection }: EffectivePolicy): OutlierDetection | undefined {
  if (outlierDetection === undefined) return undefined;
  const {
    consecutive5xxErrors,
    consecutiveGatewayErrors,
    consecutiveErrors,
    consecutiveLocalOriginFailures,
    splitExternalLocalOriginErrors,
  } = outlierDetection;
  const gateway = consecutiveGatewayErrors ?? consecutiveErrors;
  return {
    ...(consecutive5xxErrors !== undefined && { consecutive5xx: consecutive5xxErrors }),
    ...(gateway !== undefined && { consecutiveGatewayErrors: gateway }),
    ...(consecutiveLocalOriginFailures !== undefined && { consecutiveLocalOriginFailures }),
    ...(splitExternalLocalOriginErrors !== undefined && { splitExternalLocalOriginErrors }),
    intervalMs: ms(outlierDetection.interval) ?? 10_000,
    baseEjectionMs: ms(outlierDetection.baseEjectionTime) ?? 30_000,
    maxEjectionPercent: outlierDetection.maxEjectionPercent ?? 10,
    minHealthPercent: outlierDetection.minHealthPercent ?? 0,
  };
}

export function toLoadBalancing({ loadBalancer }: EffectivePolicy): LoadBalancing {
  const hash = loadBalancer?.consistentHash;
  if (hash !== undefined) {
    if (hash.maglev !== undefined)
      return { kind: "maglev", ...(hash.maglev.tableSize !== undefined && { tableSize: hash.maglev.tableSize }) };
    const minimumRingSize = hash.ringHash?.minimumRingSize ?? hash.minimumRingSize;
    return { kind: "ring-hash", ...(minimumRingSize !== undefined && { minimumRingSize }) };
  }
  const warmupMs = ms(loadBalancer?.warmup?.duration ?? loadBalancer?.warmupDurationSecs);
  const warmup = warmupMs !== undefined && warmupMs > 0 ? { warmupMs } : undefined;
  switch (loadBalancer?.simple) {
    case "ROUND_ROBIN":
      return { kind: "round-robin", ...warmup };
    case "RANDOM":
      return { kind: "random" };
    case "PASSTHROUGH":
      return { kind: "passthrough" };
    default:
      return { kind: "least-request", ...warmup };
  }
}

function ms(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}

function seconds(text: string | undefined): number | undefined {
  const milliseconds = ms(text);
  return milliseconds === undefined ? undefined : Math.max(1, Math.round(milliseconds / 1000));
}
