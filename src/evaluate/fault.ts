import type { HTTPFault } from "../gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import type { FractionalPercent } from "../gen/envoy/type/v3/percent_pb.js";
import { openConfig } from "./config.ts";
import { toMs } from "./duration.ts";
import { GRPC_STATUS } from "../base/grpc-status.ts";
import { matchesHeader } from "./header-match.ts";
import type { Exchange } from "./http-chain.ts";
import { isGrpc } from "./http-message.ts";
import { answerOnRoute } from "./route-headers.ts";
import { type Branch, ends, localReply, step, type Trail, weigh } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

const FILTER = "envoy.filters.http.fault";

/** The filter `fault`: each share of requests that are delayed, ended, both or neither. */
export function applyFault(
  listenerFault: HTTPFault,
  exchange: Exchange,
  name: string,
  next: (exchange: Exchange) => readonly Branch[],
): readonly Branch[] {
  const fault = faultOf(exchange) ?? listenerFault;
  if (
    fault.upstreamCluster !== "" ||
    fault.downstreamNodes.length > 0 ||
    fault.maxActiveFaults !== undefined ||
    fault.responseRateLimit !== undefined
  )
    throw new Undecidable(`filter ${FILTER}`);
  if (!fault.headers.every((matcher) => matchesHeader(matcher, exchange.message))) return next(exchange);
  const delayed = delaysOf(fault).flatMap(({ share, delayMs }) => {
    const trail =
      delayMs === 0
        ? exchange.trail
        : said({ ...exchange.trail, delayMs: exchange.trail.delayMs + delayMs }, exchange, `${name}: delayed by ${delayMs} ms`);
    return [{ share, exchange: { ...exchange, trail } }];
  });
  return delayed.flatMap((way) => weigh(way.share, aborted(fault, way.exchange, name, next)));
}

function said(trail: Trail, { site, routing }: Exchange, detail: string): Trail {
  return step(trail, site, "filter", { resource: routing.resource, path: routing.found?.path ?? "", detail });
}

function faultOf({ routing }: Exchange): HTTPFault | undefined {
  const own = routing.found?.route.typedPerFilterConfig[FILTER] ?? routing.host?.typedPerFilterConfig[FILTER];
  if (own === undefined) return undefined;
  const config = openConfig(own);
  if (config?.kind !== "fault") throw new Undecidable(`filter ${FILTER}`);
  return config.value;
}

function delaysOf({ delay }: HTTPFault): readonly { readonly share: number; readonly delayMs: number }[] {
  if (delay === undefined) return [{ share: 1, delayMs: 0 }];
  if (delay.faultDelaySecifier.case !== "fixedDelay") throw new Undecidable(`filter ${FILTER}`);
  const share = shareOf(delay.percentage);
  return [
    { share, delayMs: toMs(delay.faultDelaySecifier.value) ?? 0 },
    { share: 1 - share, delayMs: 0 },
  ].filter((way) => way.share > 0);
}

function aborted(
  { abort }: HTTPFault,
  exchange: Exchange,
  name: string,
  next: (exchange: Exchange) => readonly Branch[],
): readonly Branch[] {
  const share = abort === undefined ? 0 : shareOf(abort.percentage);
  const on = share < 1 ? weigh(1 - share, next(exchange)) : [];
  if (abort === undefined || share === 0) return on;
  return [...on, ...weigh(share, answerOnRoute(abortReply(abort, exchange, name), exchange))];
}

function abortReply({ errorType }: NonNullable<HTTPFault["abort"]>, exchange: Exchange, name: string): readonly Branch[] {
  const { message, routing } = exchange;
  const trail = said(exchange.trail, exchange, `${name}: ended by an injected fault`);
  const common = { because: routing.because, body: "fault filter abort" };
  if (errorType.case === "httpStatus") return localReply(trail, { ...common, status: errorType.value, grpc: isGrpc(message) });
  if (errorType.case !== "grpcStatus") throw new Undecidable(`filter ${FILTER}`);
  const grpcStatus = GRPC_STATUS[errorType.value] ?? "UNKNOWN";
  return ends(trail, {
    kind: "response",
    because: routing.because,
    reply: { status: 200, ...(isGrpc(message) && { grpcStatus }), by: "proxy", headers: [], body: common.body },
  });
}

const PARTS = [100, 10_000, 1_000_000] as const;

/** A percentage as a part of 1. */
export function shareOf(percent: FractionalPercent | undefined): number {
  if (percent === undefined) return 0;
  return Math.min(1, percent.numerator / (PARTS[percent.denominator] ?? 100));
}
