import type { HttpConnection } from "../../ir/http-connection.ts";
import type { FilterChain, Listener } from "../../ir/listener.ts";
import { GATEWAY_SLOTS } from "../../ir/policy-slots.ts";
import type { Finding, Scope } from "../../mesh/index.ts";
import type { Memo } from "../memo.ts";
import { gatewayRouteTable } from "./gateway-route.ts";
import { type BoundServer, boundServers, serverHosts } from "./gateway-server.ts";
import { bytesChain, passthroughChains, serverNames } from "./gateway-tcp.ts";
import { type Credentials, gatewayTls } from "./gateway-tls.ts";
import type { Outbound } from "./outbound.ts";
import type { TranslatedTable } from "./outbound-route.ts";

/** Everything that a gateway proxy opens to the outside: one listener for each port, by the servers that meet there. */
export function toGateway(scope: Scope, credentials: Credentials, memo: Memo): Outbound {
  const findings: Finding[] = [];
  const listeners: Listener[] = [];
  const tables: TranslatedTable[] = [];
  for (const [name, servers] of [...boundServers(scope, findings)].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [first] = servers;
    if (first === undefined) continue;
    const chains =
      first.kind === "http"
        ? [plainChain(scope, servers, tables, memo)]
        : servers.flatMap((bound) => chainsOf(scope, bound, { credentials, tables, memo, findings }));
    const distinct = withoutRepeatedNames(chains, findings);
    if (distinct.length > 0) listeners.push(toListener(name, first, distinct, servers));
  }
  return {
    listeners,
    routeTables: tables.map(({ table }) => table),
    findings: [...findings, ...tables.flatMap((translated) => translated.findings)],
  };
}

function toListener(
  name: string,
  { address, port }: BoundServer,
  chains: readonly FilterChain[],
  servers: readonly BoundServer[],
): Listener {
  const readsTls = chains.some(({ tls, match }) => tls !== undefined || match.transportProtocol === "tls");
  return {
    name,
    address,
    port,
    bindToPort: true,
    direction: "outbound",
    useOriginalDestination: false,
    inspect: { tls: readsTls, http: false },
    chains,
    origin: servers.map(({ origin }) => origin),
  };
}

function connection(scope: Scope, rds: string, statPrefix: string): HttpConnection {
  return {
    kind: "http",
    statPrefix,
    role: "gateway",
    routes: { rds },
    codec: "auto",
    slots: GATEWAY_SLOTS,
    trustedHops: scope.proxy.trustedHops,
    websocketUpgrade: true,
  };
}

function plainChain(scope: Scope, servers: readonly BoundServer[], tables: TranslatedTable[], memo: Memo): FilterChain {
  const [{ address, port } = { address: "0.0.0.0", port: 0 }] = servers;
  const rds = `http.${port}`;
  tables.push(gatewayRouteTable(scope, rds, servers, memo));
  return {
    name: rds,
    match: {},
    connection: connection(scope, rds, `outbound_${address}_${port}`),
    origin: servers.map(({ origin }) => origin),
  };
}

interface Making {
  readonly credentials: Credentials;
  readonly tables: TranslatedTable[];
  readonly memo: Memo;
  readonly findings: Finding[];
}

function chainsOf(scope: Scope, bound: BoundServer, { credentials, tables, memo, findings }: Making): readonly FilterChain[] {
  if (bound.kind === "tls-passthrough") return passthroughChains(scope, bound, findings);
  if (bound.kind === "tcp") return [bytesChain(scope, bound, undefined, findings) ?? []].flat();
  const tls = gatewayTls(bound, scope, credentials, findings);
  if (tls === undefined) return [];
  if (bound.kind === "tls") return [bytesChain(scope, bound, tls, findings) ?? []].flat();
  const { gateway, server, address, port, origin } = bound;
  const rds = `https.${server.port.number}.${server.port.name}.${gateway.name}.${gateway.namespace}`;
  tables.push(gatewayRouteTable(scope, rds, [bound], memo));
  const match = serverNames(serverHosts(bound, scope.settings.clusterDomain));
  return [{ name: rds, match, tls, connection: connection(scope, rds, `outbound_${address}_${port}`), origin: [origin] }];
}

/** Envoy refuses a listener in which two chains answer for one server name: the first keeps it. */
function withoutRepeatedNames(chains: readonly FilterChain[], findings: Finding[]): readonly FilterChain[] {
  const taken = new Set<string>();
  return chains.flatMap((chain) => {
    const range = `${(chain.match.prefixes ?? []).join(",")} `;
    const names = chain.match.serverNames?.length === 0 || chain.match.serverNames === undefined ? [""] : chain.match.serverNames;
    const free = names.filter((name) => !taken.has(range + name));
    for (const name of free) taken.add(range + name);
    const [origin] = chain.origin;
    if (free.length < names.length && origin !== undefined) {
      const lost = names.filter((name) => !free.includes(name)).map((name) => (name === "" ? "*" : name));
      findings.push({
        code: "KMK2007",
        message: `${lost.join(", ")} on this port is already served by another server; this one is not used for it`,
        origin,
      });
    }
    if (free.length === 0) return [];
    return [free.length === names.length ? chain : { ...chain, match: { ...chain.match, serverNames: free } }];
  });
}
