import type { Mesh } from "../../mesh/mesh.ts";
import type { OwnService } from "../../mesh/own-services.ts";
import { protocolOf } from "../../mesh/protocol.ts";
import type { Origin } from "../../model/origin.ts";
import type { Proxy } from "../../model/proxy.ts";
import type { Protocol } from "../../model/service.ts";

/** A port on which a workload takes traffic: of a Service that selects it, or declared by its containers. */
export interface InboundPort {
  readonly port: number;
  readonly protocol: Protocol;
  /** Where workloads share one address: the loopback port that the sidecar binds in its place. */
  readonly sidecarPort?: number;
  /** There, too: where the application of this replica listens. */
  readonly appPort?: number;
  readonly origin: Origin;
}

/** The ports of a proxy's own workload, in order of number. What the oldest Service says of a port's protocol holds. */
export function inboundPortsOf(mesh: Mesh, proxy: Proxy): readonly InboundPort[] {
  const workload = mesh.workloads.ofProxy(proxy);
  if (workload === undefined) return [];
  const ports = new Map<number, InboundPort>();
  const add = (port: InboundPort) => ports.has(port.port) || ports.set(port.port, port);
  for (const own of mesh.ownServices.of(workload)) for (const port of portsOfService(own)) add(port);
  for (const { port, name, protocol: transport, sidecarPort } of workload.ports) {
    const protocol = protocolOf({ number: port, name, transport, appProtocol: undefined });
    add({ port, protocol, ...(sidecarPort !== undefined && { sidecarPort }), origin: workload.origin });
  }
  const appPorts = new Map(workload.ports.flatMap(({ port, appPort }) => (appPort === undefined ? [] : [[port, appPort] as const])));
  return [...ports.values()]
    .filter(({ protocol }) => protocol !== "udp")
    .map((port) => ({ ...port, ...(appPorts.has(port.port) && { appPort: appPorts.get(port.port) as number }) }))
    .sort((a, b) => a.port - b.port);
}

function portsOfService({ service, endpoint }: OwnService): readonly InboundPort[] {
  return service.ports.flatMap(({ number, protocol }) => {
    const target = endpoint.ports.get(number);
    return target === undefined ? [] : [{ ...target, protocol, origin: service.origin }];
  });
}
