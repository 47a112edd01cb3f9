import { fromBinary } from "@bufbuild/protobuf";
import { connect } from "node:net";
import { SocketAddress_Protocol } from "../gen/envoy/config/core/v3/address_pb.js";
import { ListenerFilterSchema } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import { type Listener, ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { ProxyProtocolSchema } from "../gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js";
import { create } from "@bufbuild/protobuf";
import { encodeResource, packAny } from "../translate/envoy/any.ts";
import { socketAddress } from "../translate/envoy/listener.ts";
import { FILTER } from "../translate/envoy/names.ts";
import type { EnvoyResource, Snapshot } from "../translate/envoy/resource.ts";
import { startEnvoyOracle } from "./envoy-oracle.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

/** One real Envoy with what a proxy was sent. */
export interface WireEnvoy {
  /** The free port on which the listener really listens that would be bound to a port, by that port. */
  readonly ports: ReadonlyMap<number, number>;
  close(): Promise<void>;
}

/**
 * Starts an Envoy whose listeners take a PROXY header where they would have asked the kernel for the original destination: all else is as it was
 * sent.
 */
export async function startWireEnvoy(snapshot: Snapshot, own: readonly EnvoyResource[], sourceAddress: string): Promise<WireEnvoy> {
  const ports = new Map<number, number>();
  const resources: EnvoyResource[] = [];
  for (const resource of [...snapshot.values()].flatMap((byName) => [...byName.values()])) {
    if (resource.type !== "listener") resources.push(resource);
    else resources.push(...(await onFreePort(resource, ports)));
  }
  const oracle = await startEnvoyOracle({ bindsPorts: true, own, sourceAddress });
  try {
    const refused = (await oracle.judge(resources)).filter(({ outcome }) => outcome === "refused");
    if (refused.length > 0) throw new Error(`refused: ${JSON.stringify(refused)}`);
    await Promise.all([...ports.values()].map(untilOpen));
  } catch (error) {
    await oracle.close();
    throw error;
  }
  return { ports, close: () => oracle.close() };
}

async function onFreePort(resource: EnvoyResource, ports: Map<number, number>): Promise<readonly EnvoyResource[]> {
  const listener: Listener = fromBinary(ListenerSchema, resource.bytes);
  const address = listener.address?.address;
  if (address?.case !== "socketAddress" || address.value.protocol === SocketAddress_Protocol.UDP) return [];
  if (listener.bindToPort === false) return [resource];
  const port = await freePort();
  ports.set(Number(address.value.portSpecifier.value), port);
  listener.address = socketAddress("127.0.0.1", port);
  const header = create(ListenerFilterSchema, {
    name: "proxy_protocol",
    configType: { case: "typedConfig", value: packAny(ProxyProtocolSchema, {}) },
  });
  listener.listenerFilters = [header, ...listener.listenerFilters.filter(({ name }) => name !== FILTER.originalDestination)];
  return [encodeResource(ListenerSchema, listener, resource)];
}

function untilOpen(port: number): Promise<true> {
  return until(
    `port ${port}`,
    () =>
      new Promise<true | undefined>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => {
          socket.destroy();
          resolve(true);
        });
        socket.on("error", () => resolve(undefined));
      }),
  );
}
