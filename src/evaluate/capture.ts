import { cidrContains, isLoopback, parseCidr } from "../base/cidr.ts";
import type { Proxy } from "../model/proxy.ts";
import { BRIDGE_ADDRESS, OWN_APPLICATION_SOURCE, POD_RANGE, PROBE_ADDRESS } from "../model/pod-network.ts";
import type { MeshView, WorkloadRef } from "./decision.ts";

/** What stands in a pod's way out and in: its sidecar, nothing but the wall around a gateway's proxy, or nothing but the wall. */
export type Capture = "sidecar" | "gateway" | "none";

/** The first packet of what leaves a pod. */
export interface Leaving {
  readonly protocol: "tcp" | "udp";
  /** An application can't set the mark by which a proxy's own packets are known. */
  readonly by: "application" | "proxy";
  readonly source: string;
  readonly destination: { readonly address: string; readonly port: number };
  /** The destination is this pod's own: its address, or one of its loopback's. */
  readonly isOwn: boolean;
}

/**
 * Where a packet comes that leaves a pod: at its proxy as something that goes out or comes in, at its proxy's resolver, at whatever listens there in the pod
 * itself, at its destination, or nowhere (it is dropped without a word).
 */
export type WayOut = "outbound" | "inbound" | "resolver" | "own port" | "away" | "nowhere";

/** The rules of the pod network (`podRules` in `src/runtime/network.ts`), as a function. */
export function wayOut(capture: Capture, packet: Leaving): WayOut {
  if (capture === "sidecar") {
    const redirected = redirectedTo(packet);
    if (redirected !== undefined) return redirected;
  }
  if (packet.isOwn) return "own port";
  return leaves(capture, packet) ? "away" : "nowhere";
}

function redirectedTo({ protocol, by, source, destination, isOwn }: Leaving): "outbound" | "inbound" | "resolver" | undefined {
  if (by === "proxy") {
    const isNext = protocol === "tcp" && isOwn && source !== OWN_APPLICATION_SOURCE && !isLoopback(destination.address);
    return isNext ? "inbound" : undefined;
  }
  if (protocol === "udp") return destination.port === 53 && destination.address !== BRIDGE_ADDRESS ? "resolver" : undefined;
  return isOwn ? undefined : "outbound";
}

/** Through the wall. */
function leaves(capture: Capture, { protocol, by, destination: { address, port } }: Leaving): boolean {
  if (capture === "none") return protocol === "tcp" && isPod(address) && address !== BRIDGE_ADDRESS && address !== PROBE_ADDRESS;
  return protocol === "udp" ? address === BRIDGE_ADDRESS && port === 53 : by === "proxy";
}

/** Where a connection comes that arrives at a pod from elsewhere: at its proxy, or at whatever listens there. */
export function wayIn(capture: Capture, source: string): "inbound" | "own port" {
  return capture === "sidecar" && source !== PROBE_ADDRESS ? "inbound" : "own port";
}

const PODS = parseCidr(POD_RANGE);

function isPod(address: string): boolean {
  const own = parseCidr(address);
  return PODS !== undefined && own !== undefined && cidrContains(PODS, own);
}

export function captureOf(proxy: Proxy | undefined): Capture {
  if (proxy === undefined) return "none";
  return proxy.type === "router" ? "gateway" : "sidecar";
}

/** Whether what goes to an address stays in the workload's pod. Where pods themselves live on loopback, that is nobody's own. */
export function staysInPod(
  view: Pick<MeshView, "workloadAt">,
  { namespace, name }: WorkloadRef,
  { source, destination: { address, port } }: Pick<Leaving, "source" | "destination">,
): boolean {
  const there = view.workloadAt(address, port);
  if (there === undefined) return isLoopback(address) && !isLoopback(source);
  return there.name === name && there.namespace === namespace;
}
