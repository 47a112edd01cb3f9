import type { Filter } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { TrafficDirection } from "../gen/envoy/config/core/v3/base_pb.js";
import type { Connection } from "./connection.ts";
import { acceptTls } from "./downstream-tls.ts";
import { findFilterChain, findListener } from "./listener.ts";
import { runNetworkFilters } from "./network-filters.ts";
import { type Because, type Branch, ends, guarded, originsAt, type Site, step, type Trail } from "./trail.ts";

/** A connection as a proxy takes it: listener, filter chain, TLS, then the chain's filters. */
export function receive(site: Site, connection: Connection, direction: "inbound" | "outbound", trail: Trail): readonly Branch[] {
  return guarded(trail, () => {
    const opened = findListener(site, connection, direction);
    const { address, port } = connection.destination;
    if (opened === undefined) {
      const none = step(trail, site, "listener", { detail: `none for ${address}:${port}` });
      return ends(none, { kind: "refused", because: [] });
    }
    const { resource, listener } = opened;
    const atListener = step(trail, site, "listener", { resource, detail: `${listener.name} for ${address}:${port}` });
    const chosen = findFilterChain(opened, connection);
    const inbound = listener.trafficDirection === TrafficDirection.INBOUND;
    if ("failedAt" in chosen) {
      const detail = `none matches: ${chosen.failedAt}`;
      const none = step(atListener, site, "filter chain", { resource, detail });
      return ends(none, { kind: "closed", phase: "connect", because: refusedConnection(resource, "", inbound) });
    }
    const atChain = step(atListener, site, "filter chain", { resource, path: chosen.path, detail: chosen.chain.name });
    const handshake = acceptTls(site, chosen.chain, connection);
    const why = refusedConnection(resource, chosen.path, inbound);
    if ("missingSecret" in handshake) {
      const waiting = step(atChain, site, "tls", { resource, path: chosen.path, detail: `secret ${handshake.missingSecret} has not come` });
      return ends(waiting, { kind: "refused", because: why });
    }
    if ("refused" in handshake) {
      const refused = step(atChain, site, "tls", { resource, path: chosen.path, detail: handshake.refused });
      return ends(refused, { kind: "closed", phase: "connect", because: why });
    }
    const { accepted } = handshake;
    const serverName = connection.stream.kind === "tls" ? connection.stream.hello.sni.toLowerCase() : "";
    const peer = accepted.tls === undefined ? "plaintext" : `TLS, peer ${accepted.tls.peer ?? "without a certificate"}`;
    const atTls =
      chosen.chain.transportSocket === undefined ? atChain : step(atChain, site, "tls", { resource, path: chosen.path, detail: peer });
    const chain = { site, listener: resource, chainPath: chosen.path, inbound, connection: accepted, serverName };
    return runNetworkFilters(chosen.chain.filters as readonly Filter[], chain, atTls);
  });
}

/** Who keeps a connection out: a PeerAuthentication for a workload, or the profile; a gateway's own resources elsewhere. */
function refusedConnection(resource: EnvoyResource, path: string, inbound: boolean): Because {
  if (!inbound) return originsAt(resource, path);
  const own = (resource.origins.get("") ?? []).filter(({ ref }) => ref.kind === "PeerAuthentication");
  return own.length > 0 ? own : ["Profile/zero-trust"];
}
