import { OriginTable, type ProxyLogLine } from "../../evaluate/index.ts";
import type { RouteConfiguration } from "../../gen/envoy/config/route/v3/route_pb.js";
import type { RouteAction } from "../../gen/envoy/config/route/v3/route_components_pb.js";
import type { TestMesh } from "../test-mesh.ts";
import type { Exchange } from "./exchange.ts";

/** Envoy marks the host of a copy. */
export function isShadow(authority: string | undefined): boolean {
  return authority !== undefined && /-shadow(:\d+)?$/.test(authority);
}

/**
 * Whether every copy that a route sends of each of its requests has come to somebody: at an application, or at a proxy that refused it. Copies of a
 * share of them are not waited for.
 */
export function haveMirrorsCome({ arrivals, log }: Exchange, mesh: TestMesh): boolean {
  const table = new OriginTable((workload) => mesh.proxyOf(workload)?.snapshot);
  const wanted = log.filter(({ direction }) => direction !== "inbound").reduce((sum, line) => sum + mirrorsOf(line, table), 0);
  const arrived = arrivals.filter(({ request }) => isShadow(request?.authority)).length;
  const logged = log.filter(({ direction, authority }) => direction === "inbound" && isShadow(authority)).length;
  return Math.max(arrived, logged) >= wanted;
}

function mirrorsOf(line: ProxyLogLine, table: OriginTable): number {
  // Only a request that was sent on has copies.
  const place = line.upstreamHost === undefined ? undefined : table.route(line);
  const [, host, route] = /^virtualHosts\[(\d+)\]\.routes\[(\d+)\]$/.exec(place?.path ?? "") ?? [];
  if (place === undefined || place.resource.type !== "route" || host === undefined) return 0;
  const { virtualHosts } = place.resource.message as RouteConfiguration;
  const action = virtualHosts[Number(host)]?.routes[Number(route)]?.action;
  return action?.case === "route" ? action.value.requestMirrorPolicies.filter(isOfAll).length : 0;
}

const PARTS = [100, 10_000, 1_000_000];

function isOfAll({ runtimeFraction }: RouteAction["requestMirrorPolicies"][number]): boolean {
  const share = runtimeFraction?.defaultValue;
  return share === undefined || share.numerator >= (PARTS[share.denominator] ?? Infinity);
}
