import type { HttpConnectionManager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Listener } from "../gen/envoy/config/listener/v3/listener_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { type Accepted, phaseOf } from "./connection.ts";
import { findRouting, routesOf } from "./find-routing.ts";
import { bufferLimitOf } from "./buffer-limit.ts";
import { toMs } from "./duration.ts";
import type { Routing } from "./http-chain.ts";
import { runFilters } from "./http-filters.ts";
import { type HttpMessage, isGrpc } from "./http-message.ts";
import { isUpgradeAllowed, prepareRequest, splitTarget } from "./manager-request.ts";
import { answerOnRoute } from "./route-headers.ts";
import { type Branch, cutOff, ends, localReply, originsAt, type Site, step, type Trail, weigh } from "./trail.ts";

export interface ChainSite {
  readonly site: Site;
  readonly listener: EnvoyResource;
  readonly chainPath: string;
  readonly inbound: boolean;
  readonly connection: Accepted;
  readonly serverName: string;
}

/** A request as one connection manager takes it: made ready, routed, filtered, sent on. */
export function serveHttp(chain: ChainSite, manager: HttpConnectionManager, trail: Trail): readonly Branch[] {
  const { site, listener, chainPath, connection } = chain;
  const { stream } = connection;
  if (stream.kind !== "http") {
    const seen = step(trail, site, "codec", { resource: listener, path: chainPath, detail: "the bytes are no HTTP" });
    return ends(seen, { kind: "closed", phase: phaseOf(connection), because: originsAt(listener, chainPath) });
  }
  const prepared = prepareRequest(manager, connection, splitTarget(stream.message));
  if (prepared.kind === "answer") {
    const refused = step(trail, site, "connection manager", { resource: listener, path: chainPath, detail: prepared.detail });
    const headers = prepared.location === undefined ? [] : [["location", prepared.location] as const];
    const { status, body = "" } = prepared;
    const reply = localReply(refused, { status, grpc: isGrpc(stream.message), because: [], headers, body });
    // The manager answers by the route of the request as it came (where it has `x-forwarded-proto`); a codec that could not read it knows none.
    const routes = body === "" ? routesOf(site, manager, listener, chainPath) : undefined;
    const asked = splitTarget(stream.message);
    return routes === undefined
      ? reply
      : answerOnRoute(reply, { message: asked, routing: findRouting(site, routes, asked, trail).routing });
  }
  if (prepared.kind === "reset") {
    const reset = step(trail, site, "connection manager", { resource: listener, path: chainPath, detail: prepared.detail });
    return ends(reset, { kind: "closed", phase: "later", because: [] });
  }
  const { message } = prepared;
  const source = routesOf(site, manager, listener, chainPath);
  if (source === undefined) {
    const waiting = step(trail, site, "route", { resource: listener, path: chainPath, detail: "the routes have not come" });
    return localReply(waiting, { status: 404, grpc: isGrpc(message), because: originsAt(listener, chainPath) });
  }
  const routed = findRouting(site, source, message, trail);
  if (!isUpgradeAllowed(manager, message)) {
    const refused = step(trail, site, "connection manager", { resource: listener, path: chainPath, detail: "the upgrade is not allowed" });
    return answerOnRoute(localReply(refused, { status: 403, grpc: false, because: [] }), { message, routing: routed.routing });
  }
  const endsAtMs = trail.delayMs + longestOf(manager, routed.routing);
  const branches = runFilters(manager.httpFilters, {
    ...chain,
    message,
    bufferBytes: bufferLimitOf(listener.message as Listener, manager, message),
    endsAtMs,
    remote: prepared.remote,
    isInternal: prepared.isInternal,
    metadata: {},
    // Where no route's resource had a say, the one that opened the port did.
    routing: routed.routing.because.length > 0 ? routed.routing : { ...routed.routing, because: originsAt(listener, chainPath) },
    trail: routed.trail,
  });
  return branches.flatMap((branch) => (branch.trail.delayMs < endsAtMs ? [branch] : gaveUp(branch, endsAtMs, message, routed.routing)));
}

/** How long a manager waits for an answer of which no byte comes: a stream's idle time, which a route may set, and its whole life. Milliseconds. */
function longestOf({ streamIdleTimeout, commonHttpProtocolOptions }: HttpConnectionManager, { found }: Routing): number {
  const action = found?.route.action;
  const own = action?.case === "route" ? toMs(action.value.idleTimeout) : undefined;
  const limits = [own ?? toMs(streamIdleTimeout) ?? STREAM_IDLE_MS, toMs(commonHttpProtocolOptions?.maxStreamDuration) ?? 0];
  return Math.min(...limits.map((limit) => (limit === 0 ? Infinity : limit)));
}

/** Envoy's own, where nothing is said. */
const STREAM_IDLE_MS = 300_000;

function gaveUp({ share, trail, end }: Branch, endsAtMs: number, message: HttpMessage, routing: Routing): readonly Branch[] {
  if (end.kind === "undecided") return [{ share, trail, end }];
  const { because } = routing;
  const reply = localReply(cutOff(trail, endsAtMs), { status: 504, grpc: isGrpc(message), because, body: "stream timeout" });
  return weigh(share, answerOnRoute(reply, { message, routing }));
}
