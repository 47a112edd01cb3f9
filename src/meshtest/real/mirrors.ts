import { OriginTable, type ProxyLogLine } from "../../evaluate/index.ts";
import type { RouteConfiguration } from "../../gen/envoy/config/route/v3/route_pb.js";
import type { RouteAction } from "../../gen/envoy/config/route/v3/route_components_pb.js";
import type { TestMesh } from "../test-mesh.ts";
import { endpointsOf } from "./cluster-endpoints.ts";
import type { Exchange } from "./exchange.ts";

/** Envoy marks the host of a copy. */
export function isShadow(authority: string | undefined): boolean {
  return authority !== undefined && /-shadow(:\d+)?$/.test(authority);
}

/**
 * Whether every copy that a route sends of each of its requests has come to somebody: at an application, or at a proxy that refused it. Copies of a
 * share of them are not waited for; what authorizers were asked about copies has to be left out before.
 */
export function haveMirrorsCome({ arrivals, log }: Exchange, mesh: TestMesh): boolean {
  const wanted = mirrorsOf(log, mesh).filter(({ policy }) => isOfAll(policy)).length;
  const arrived = arrivals.filter(({ request }) => isShadow(request?.authority)).length;
  const logged = log.filter(({ direction, authority }) => direction === "inbound" && isShadow(authority)).length;
  return Math.max(arrived, logged) >= wanted;
}

/** Addresses to which copies of what was logged may have been sent, whether they have come or not. */
export function copiedTo(log: Exchange["log"], mesh: TestMesh): readonly string[] {
  return mirrorsOf(log, mesh).flatMap(({ line, policy }) => {
    const snapshot = mesh.proxyOf(line.workload)?.snapshot;
    return snapshot === undefined ? [] : endpointsOf(snapshot, policy.cluster).map(({ address }) => address);
  });
}

type MirrorPolicy = RouteAction["requestMirrorPolicies"][number];

/** The copies that the routes of logged requests send. */
function mirrorsOf(log: Exchange["log"], mesh: TestMesh): readonly { readonly line: ProxyLogLine; readonly policy: MirrorPolicy }[] {
  const table = new OriginTable((workload) => mesh.proxyOf(workload)?.snapshot);
  // Only a request that was sent on has copies.
  const sent = log.filter(({ direction, upstreamHost }) => direction !== "inbound" && upstreamHost !== undefined);
  return sent.flatMap((line) => policiesOf(line, table).map((policy) => ({ line, policy })));
}

function policiesOf(line: ProxyLogLine, table: OriginTable): readonly MirrorPolicy[] {
  const place = table.route(line);
  const [, host, route] = /^virtualHosts\[(\d+)\]\.routes\[(\d+)\]$/.exec(place?.path ?? "") ?? [];
  if (place === undefined || place.resource.type !== "route" || host === undefined) return [];
  const { virtualHosts } = place.resource.message as RouteConfiguration;
  const action = virtualHosts[Number(host)]?.routes[Number(route)]?.action;
  return action?.case === "route" ? action.value.requestMirrorPolicies : [];
}

const PARTS = [100, 10_000, 1_000_000];

function isOfAll({ runtimeFraction }: MirrorPolicy): boolean {
  const share = runtimeFraction?.defaultValue;
  return share === undefined || share.numerator >= (PARTS[share.denominator] ?? Infinity);
}
