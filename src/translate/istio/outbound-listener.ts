import { BLACK_HOLE, PASSTHROUGH } from "../../ir/cluster-name.ts";
import type { HttpConnection } from "../../ir/http-connection.ts";
import type { FilterChain, Listener } from "../../ir/listener.ts";
import { OUTBOUND_SLOTS, OUTBOUND_TCP_SLOTS } from "../../ir/policy-slots.ts";
import type { MeshSettings } from "../../mesh/index.ts";
import type { Origin } from "../../model/origin.ts";
import { catchAll } from "./outbound-route.ts";

export const ANY_ADDRESS = "0.0.0.0";
export const OUTBOUND_PORT = 15_001;

const BLOCKED = "block_all";
/** What Envoy's HTTP inspector calls plaintext HTTP. */
const PLAIN_HTTP = ["http/1.0", "http/1.1", "h2c"];

export function httpConnection(rds: string, statPrefix: string): HttpConnection {
  return { kind: "http", statPrefix, role: "outbound", routes: { rds }, codec: "auto", slots: OUTBOUND_SLOTS, websocketUpgrade: true };
}

/** A chain that takes everything as HTTP, or only what the first bytes show to be. */
export function httpChain(rds: string, statPrefix: string, isSniffed: boolean, origin: readonly Origin[]): FilterChain {
  const match: FilterChain["match"] = isSniffed ? { transportProtocol: "raw_buffer", applicationProtocols: PLAIN_HTTP } : {};
  return { name: rds, match, connection: httpConnection(rds, statPrefix), origin };
}

/**
 * `virtualOutbound`: gets every connection that capture takes, hands it to the listener of its destination, and ends those that have none; HTTP
 * with an answer that says so. First bytes are not waited for on `knownPorts`: a server that speaks first must not wait for its client.
 */
export function virtualOutbound(settings: MeshSettings, knownPorts: readonly number[]): Listener {
  const refused = refusedHttpChains(settings);
  const blackHole = unknownDestination(BLACK_HOLE, "virtualOutbound-blackhole");
  return {
    name: "virtualOutbound",
    address: ANY_ADDRESS,
    port: OUTBOUND_PORT,
    bindToPort: true,
    direction: "outbound",
    useOriginalDestination: true,
    inspect: { tls: false, http: refused.length > 0, ...(refused.length > 0 && knownPorts.length > 0 && { exceptPorts: knownPorts }) },
    // A connection to 15001 itself would be passed on to 15001 for ever.
    chains: [
      { ...blackHole, match: { destinationPort: OUTBOUND_PORT } },
      ...refused,
      unknownDestination(unknownCluster(settings), "virtualOutbound-catchall-tcp"),
    ],
    origin: [],
  };
}

/** Where only what is known goes out: HTTP to an unknown destination is answered, by 502 as for an unknown host of a known port. */
export function refusedHttpChains(settings: MeshSettings): readonly FilterChain[] {
  if (settings.outboundMode === "allow-any") return [];
  const inline = { name: BLOCKED, virtualHosts: [catchAll(settings)], ignorePortInHost: true };
  const connection: HttpConnection = {
    kind: "http",
    statPrefix: BLOCKED,
    role: "outbound",
    routes: { inline },
    codec: "auto",
    slots: OUTBOUND_SLOTS,
    websocketUpgrade: true,
  };
  const match: FilterChain["match"] = { transportProtocol: "raw_buffer", applicationProtocols: PLAIN_HTTP };
  return [{ name: "virtualOutbound-blackhole-http", match, connection, origin: [] }];
}

/** A port on which only services with addresses of their own listen: what goes elsewhere is unknown. */
export function unknownListener(settings: MeshSettings, port: number): Listener | undefined {
  const chains = refusedHttpChains(settings);
  if (chains.length === 0) return undefined;
  return outboundListener({ address: ANY_ADDRESS, port, bindToPort: false, chains, defaultChain: unknownChain(settings), origin: [] });
}

/** What takes bytes on a port of which only some are known. */
export function unknownChain(settings: MeshSettings): FilterChain {
  const cluster = unknownCluster(settings);
  return unknownDestination(cluster, cluster === PASSTHROUGH ? "passthrough" : "blackhole");
}

function unknownCluster(settings: MeshSettings): string {
  return settings.outboundMode === "allow-any" ? PASSTHROUGH : BLACK_HOLE;
}

function unknownDestination(cluster: string, name: string): FilterChain {
  return {
    name,
    match: {},
    connection: { kind: "tcp", statPrefix: cluster, destinations: [{ cluster, weight: 100 }], slots: OUTBOUND_TCP_SLOTS },
    origin: [],
  };
}

export interface ListenerParts {
  readonly address: string;
  readonly port: number;
  readonly bindToPort: boolean;
  readonly chains: readonly FilterChain[];
  readonly defaultChain?: FilterChain;
  /** Silence is no sign of bytes. */
  readonly patient?: true;
  readonly origin: readonly Origin[];
}

/** An outbound listener by Istio's name, `address_port`, that looks at as much of a connection as its chains need. */
export function outboundListener({ address, port, bindToPort, chains, defaultChain, patient, origin }: ListenerParts): Listener {
  const sniffs = chains.some(({ match }) => (match.applicationProtocols ?? []).length > 0);
  const readsTls = sniffs || chains.some(({ match }) => (match.serverNames ?? []).length > 0 || match.transportProtocol !== undefined);
  return {
    name: `${address}_${port}`,
    address,
    port,
    bindToPort,
    direction: "outbound",
    useOriginalDestination: false,
    inspect: { tls: readsTls, http: sniffs, ...(patient === true && sniffs && { patient }) },
    chains,
    ...(defaultChain !== undefined && { defaultChain }),
    origin,
  };
}
