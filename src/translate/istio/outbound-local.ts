import type { Listener } from "../../ir/listener.ts";
import type { Finding, Scope } from "../../mesh/index.ts";
import { isHttp } from "../../model/service.ts";
import { httpChain, outboundListener } from "./outbound-listener.ts";
import { serviceRouteTable, type TranslatedTable } from "./outbound-route.ts";
import { matchesAll, tcpChains } from "./outbound-tcp.ts";
import type { Outbound } from "./outbound.ts";

const LOOPBACK = "127.0.0.1";

/** Without capture: one loopback port for each port of a service that the workload was given one for, on the address that stands for the service. */
export function localListeners(scope: Scope): Outbound {
  const listeners: Listener[] = [];
  const tables: TranslatedTable[] = [];
  const findings: Finding[] = [];
  for (const [destination, localPort] of Object.entries(scope.proxy.localPorts).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const colon = destination.lastIndexOf(":");
    const service = scope.services.get(destination.slice(0, colon));
    const port = service?.ports.find(({ number }) => number === Number(destination.slice(colon + 1)));
    if (service === undefined || port === undefined || port.protocol === "udp") continue;
    const origin = [service.origin];
    const isSniffed = port.protocol === "auto";
    const http =
      isSniffed || isHttp(port.protocol)
        ? [httpChain(`${service.host}:${port.number}`, `outbound_${service.host}_${port.number}`, isSniffed, origin)]
        : [];
    const bytes = isHttp(port.protocol) ? [] : tcpChains(scope, service, port, findings);
    const last = bytes.find(({ match }) => matchesAll(match));
    const chains = [...http, ...bytes.filter((chain) => chain !== last)];
    listeners.push(
      outboundListener({
        address: scope.proxy.localAddresses[service.host] ?? LOOPBACK,
        port: localPort,
        bindToPort: true,
        chains,
        ...(last !== undefined && { defaultChain: last }),
        origin,
      }),
    );
    if (http.length > 0) tables.push(serviceRouteTable(scope, service, port.number));
  }
  return {
    listeners,
    routeTables: tables.map(({ table }) => table),
    findings: [...findings, ...tables.flatMap((translated) => translated.findings)],
  };
}
