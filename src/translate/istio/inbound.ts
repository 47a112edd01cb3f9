import { BLACK_HOLE, formatClusterName, INBOUND_PASSTHROUGH } from "../../ir/cluster-name.ts";
import type { Cluster } from "../../ir/cluster.ts";
import type { FilterChain, Listener } from "../../ir/listener.ts";
import { INBOUND_TCP_SLOTS } from "../../ir/policy-slots.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import type { MeshSettings } from "../../mesh/mesh-settings.ts";
import type { Proxy } from "../../model/proxy.ts";
import { isHttp } from "../../model/service.ts";
import { chainsOf, type ChainTarget } from "./inbound-chain.ts";
import { toInboundCluster } from "./inbound-cluster.ts";
import { type InboundPort, inboundPortsOf } from "./inbound-ports.ts";
import { type MtlsMode, type MtlsModes, mtlsOf, resolveMtls } from "../../mesh/peer-authentication.ts";

/** All that the way into a workload depends on: plain data, whose hash is the cache's key. */
export interface InboundInputs {
  readonly capture: Proxy["capture"];
  readonly ports: readonly InboundPort[];
  readonly mtls: MtlsModes;
  readonly trustDomains: readonly string[];
  readonly settings: Pick<MeshSettings, "profile" | "connectTimeoutMs">;
}

export interface Inbound {
  readonly listeners: readonly Listener[];
  readonly clusters: readonly Cluster[];
}

const CAPTURE_PORT = 15_006;

export function inboundInputs(mesh: Mesh, proxy: Proxy): InboundInputs {
  const { settings } = mesh;
  return {
    capture: proxy.capture,
    ports: inboundPortsOf(mesh, proxy),
    mtls: resolveMtls(mesh.policies.find("PeerAuthentication", proxy), settings.defaultMtls),
    trustDomains: [settings.trustDomain, ...settings.trustDomainAliases],
    settings: { profile: settings.profile, connectTimeoutMs: settings.connectTimeoutMs },
  };
}

/** Listeners and clusters of a sidecar towards its own application. A port that nobody declared is closed, unless the profile is Istio's. */
export function toInbound(inputs: InboundInputs): Inbound {
  const clusters = inputs.ports.map((port) => toInboundCluster(port, inputs));
  if (inputs.capture === "none") return { listeners: inputs.ports.flatMap((port) => boundListener(port, inputs)), clusters };
  return {
    listeners: [capturedListener(inputs)],
    clusters: inputs.settings.profile === "istio" ? [...clusters, passthroughCluster(inputs)] : clusters,
  };
}

function capturedListener(inputs: InboundInputs): Listener {
  const declared = inputs.ports.flatMap((port) =>
    chainsOf({ ...targetOf(port), match: { destinationPort: port.port } }, mtlsOf(inputs.mtls, port.port), inputs),
  );
  const others = passthroughPorts(inputs).flatMap(({ mode, port }) => chainsOf(passthroughTarget(port, inputs), mode, inputs));
  return {
    name: "virtualInbound",
    address: "0.0.0.0",
    port: CAPTURE_PORT,
    bindToPort: true,
    direction: "inbound",
    useOriginalDestination: true,
    inspect: inspectionOf(inputs),
    chains: [ownPortChain(), ...declared, ...others],
    origin: inputs.mtls.origin,
  };
}

/** A connection to the capture port itself was captured by nobody: it would come back to us for ever. */
function ownPortChain(): FilterChain {
  const destinations = [{ cluster: BLACK_HOLE, weight: 1 }];
  return {
    name: "virtualInbound-blackhole",
    match: { destinationPort: CAPTURE_PORT },
    connection: { kind: "tcp", statPrefix: BLACK_HOLE, destinations, slots: INBOUND_TCP_SLOTS },
    origin: [],
  };
}

/** What passes without a Service that names its port, in Istio's profile: ports with a mode of their own, and all others. */
function passthroughPorts({ ports, mtls, settings }: InboundInputs): readonly { readonly mode: MtlsMode; readonly port?: number }[] {
  if (settings.profile !== "istio") return [];
  const named = new Set([CAPTURE_PORT, ...ports.map(({ port }) => port)]);
  const apart = Object.entries(mtls.byPort).flatMap(([port, mode]) => (named.has(Number(port)) ? [] : [{ port: Number(port), mode }]));
  return [...apart, { mode: mtls.all }];
}

function passthroughTarget(port: number | undefined, { mtls }: InboundInputs): ChainTarget {
  const target = { cluster: INBOUND_PASSTHROUGH, routeName: INBOUND_PASSTHROUGH, payload: "auto" } as const;
  if (port === undefined) return { ...target, name: "virtualInbound", match: {}, origin: [] };
  return { ...target, name: `virtualInbound_${port}`, match: { destinationPort: port }, origin: mtls.origin };
}

function boundListener(port: InboundPort, inputs: InboundInputs): readonly Listener[] {
  if (port.sidecarPort === undefined) return [];
  const mode = mtlsOf(inputs.mtls, port.port);
  return [
    {
      name: `inbound_127.0.0.1_${port.sidecarPort}`,
      address: "127.0.0.1",
      port: port.sidecarPort,
      bindToPort: true,
      direction: "inbound",
      useOriginalDestination: false,
      inspect: { tls: mode !== "disable", http: mode !== "strict" && payloadOf(port) === "auto" },
      chains: chainsOf({ ...targetOf(port), match: {} }, mode, inputs),
      origin: [port.origin, ...inputs.mtls.origin],
    },
  ];
}

function targetOf(port: InboundPort): Omit<ChainTarget, "match"> {
  const name = formatClusterName({ direction: "inbound", port: port.port, subset: "", host: "" });
  return { name: `0.0.0.0_${port.port}`, cluster: name, routeName: name, payload: payloadOf(port), origin: [port.origin] };
}

function payloadOf({ protocol }: InboundPort): ChainTarget["payload"] {
  if (protocol === "auto") return "auto";
  return isHttp(protocol) ? "http" : "tcp";
}

/** First bytes are looked at only where a chain depends on them: a server that speaks first would wait for its client. */
function inspectionOf(inputs: InboundInputs): Listener["inspect"] {
  const { ports, mtls } = inputs;
  const unread = ports.filter((port) => mtlsOf(mtls, port.port) === "disable" && payloadOf(port) !== "auto").map(({ port }) => port);
  const http =
    passthroughPorts(inputs).some(({ mode }) => mode !== "strict") ||
    ports.some((port) => payloadOf(port) === "auto" && mtlsOf(mtls, port.port) !== "strict");
  const declared = ports.filter((port) => payloadOf(port) !== "auto" && !unread.includes(port.port)).map(({ port }) => port);
  return {
    tls: true,
    http,
    ...(unread.length > 0 && { exceptPorts: unread }),
    ...(http && declared.length > 0 && { httpExceptPorts: declared }),
  };
}

function passthroughCluster({ settings }: InboundInputs): Cluster {
  return {
    name: INBOUND_PASSTHROUGH,
    discovery: { kind: "original-destination" },
    connectTimeoutMs: settings.connectTimeoutMs,
    protocol: "as-downstream",
    loadBalancing: { kind: "passthrough" },
    bindAddress: "127.0.0.6",
    origin: [],
  };
}
