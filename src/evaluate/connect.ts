import { captureOf, staysInPod, wayIn, wayOut } from "./capture.ts";
import type { Connection } from "./connection.ts";
import type { MeshView, WorkloadRef } from "./decision.ts";
import { reach } from "./reach.ts";
import { receive } from "./receive.ts";
import { type Branch, ends, type Site, type Trail } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

/** More proxies than any way has that ends somewhere. */
const MOST_PROXIES = 12;

/** A connection to an address: to a workload, through its proxy where it has one, to a host outside, or to nobody. */
export function connectTo(view: MeshView, connection: Connection, trail: Trail, nowMs: number): readonly Branch[] {
  const { address, port } = connection.destination;
  const workload = view.workloadAt(address, port);
  if (workload !== undefined) return connectToWorkload(view, workload, connection, trail, nowMs);
  const external = view.externalAt(address, port);
  if (external === undefined) return ends(trail, { kind: "refused", because: [] });
  return reach(view, { external }, connection, trail);
}

export function connectToWorkload(
  view: MeshView,
  workload: WorkloadRef,
  connection: Connection,
  trail: Trail,
  nowMs: number,
): readonly Branch[] {
  const found = view.proxyOf(workload);
  const isPastProxy = found?.proxy.type === "sidecar" && wayIn(captureOf(found.proxy), connection.source) === "own port";
  if (found === undefined || isPastProxy) return reach(view, workload, connection, trail);
  // What ends a loop (time, connections, the size of the headers) is not in the configuration.
  if (trail.via.length >= MOST_PROXIES) throw new Undecidable(`${workload.namespace}/${workload.name}: the request goes in a circle`);
  const site = siteOf(view, workload, found, nowMs);
  // A gateway serves everybody on the listeners of its own; behind a sidecar's inbound one stands its application.
  const direction = found.proxy.type === "router" ? "outbound" : "inbound";
  return receive(site, connection, direction, { ...trail, via: [...trail.via, workload] });
}

/** A workload's proxy, and how it reaches others. */
export function siteOf(view: MeshView, workload: WorkloadRef, proxy: NonNullable<ReturnType<MeshView["proxyOf"]>>, nowMs: number): Site {
  const dial: Site["dial"] = (connection, trail) => {
    const { source, destination } = connection;
    const [own = source] = proxy.proxy.addresses;
    const isOwn = staysInPod(view, workload, { source: own, destination }) || proxy.proxy.addresses.includes(destination.address);
    const way = wayOut(captureOf(proxy.proxy), { protocol: "tcp", by: "proxy", source, destination, isOwn });
    // Without capture replicas share addresses, and a gateway has no application.
    const isToApplication = way === "own port" && proxy.proxy.capture === "redirect" && proxy.proxy.type === "sidecar";
    if (isToApplication) return reach(view, workload, connection, trail);
    // Whom this proxy's own client is, is nothing that others see.
    const { peer: _, ...plain } = connection;
    return connectTo(view, plain, trail, nowMs);
  };
  return { ...proxy, workload, view, nowMs, dial };
}
