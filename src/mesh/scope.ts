import { HostTable } from "../base/host-match.ts";
import { stableHash } from "../base/stable-hash.ts";
import type { Proxy } from "../model/proxy.ts";
import type { Service } from "../model/service.ts";
import { trustedProxiesOf } from "../schema/proxy-config.ts";
import type { DestinationRule } from "./destination-rules.ts";
import type { EndpointSet } from "./endpoint-set.ts";
import type { Gateway } from "./gateways.ts";
import type { Mesh } from "./mesh.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { VirtualService } from "./virtual-services.ts";

/** What translation of routing may read of a proxy; two proxies with equal views share one scope. */
export interface ProxyView {
  readonly type: Proxy["type"];
  readonly namespace: string;
  /** Only those labels that some rule looks at. */
  readonly labels: Readonly<Record<string, string>>;
  readonly capture: Proxy["capture"];
  readonly localPorts: Readonly<Record<string, number>>;
  readonly localAddresses: Readonly<Record<string, string>>;
  readonly outsidePorts: Readonly<Record<string, number>>;
  readonly dnsCapture: boolean;
  /** At gateways: the port of a Service in front of the proxy to the port that the proxy must bind for it. */
  readonly targetPorts: Readonly<Record<string, number>>;
  /** At gateways: the hops in front of it whose X-Forwarded-For is believed; 0 at sidecars. */
  readonly trustedHops: number;
}

/** What one group of proxies sees of the mesh; translation of routing gets this and nothing else. */
export interface Scope {
  /** Hash of exactly what can be read here. */
  readonly key: string;
  readonly settings: MeshSettings;
  readonly proxy: ProxyView;
  /** By host, in order of host. */
  readonly services: ReadonlyMap<string, Service>;
  /** `[host, VirtualService]` of sidecars, the oldest first; empty at gateways. */
  readonly virtualServices: readonly (readonly [host: string, virtualService: VirtualService])[];
  virtualServiceFor(host: string): VirtualService | undefined;
  ruleFor(service: Service): DestinationRule | undefined;
  endpointsOf(service: Service): EndpointSet;
  /** Empty at sidecars. */
  readonly gateways: readonly { readonly gateway: Gateway; readonly virtualServices: readonly VirtualService[] }[];
}

const known = new WeakMap<Mesh, Map<string, Scope>>();

/** The scope of a proxy. Proxies of one mesh whose views are equal get one object. */
export function scopeFor(mesh: Mesh, proxy: Proxy): Scope {
  const view = viewOf(mesh, proxy);
  const viewKey = stableHash([view, proxy.type === "router" ? proxy.labels : null]);
  let scopes = known.get(mesh);
  if (scopes === undefined) known.set(mesh, (scopes = new Map()));
  let scope = scopes.get(viewKey);
  if (scope === undefined) scopes.set(viewKey, (scope = buildScope(mesh, proxy, view)));
  return scope;
}

function buildScope(mesh: Mesh, proxy: Proxy, view: ProxyView): Scope {
  const services = mesh.services.visibleFrom(view.namespace);
  const isRouter = view.type === "router";
  const virtualServices = isRouter ? [] : mesh.virtualServices.listForSidecars(view.namespace);
  const table = new HostTable(virtualServices);
  const gateways = (isRouter ? mesh.gateways.forProxy(proxy) : []).map((gateway) => ({
    gateway,
    virtualServices: mesh.virtualServices.forGateway(`${gateway.namespace}/${gateway.name}`, view.namespace),
  }));
  const rules = new Map<Service, DestinationRule | undefined>();
  for (const service of services.values())
    rules.set(service, mesh.destinationRules.find(service.host, { client: view, service: service.namespace }));
  const key = stableHash([
    mesh.settings.hash,
    view,
    [...services.values()].map((service) => `${service.hash} ${rules.get(service)?.hash ?? ""} ${mesh.endpoints.of(service).hash}`),
    virtualServices.map(([host, { hash, namespace, name }]) => `${host} ${namespace}/${name} ${hash}`),
    gateways.map(({ gateway, virtualServices: own }) => [
      gateway.namespace,
      gateway.name,
      gateway.hash,
      own.map(({ namespace, name, hash }) => `${namespace}/${name} ${hash}`),
    ]),
  ]);
  return Object.freeze({
    key,
    settings: mesh.settings,
    proxy: view,
    services,
    virtualServices,
    gateways,
    virtualServiceFor: (host: string) => table.find(host),
    ruleFor: (service: Service) => rules.get(service),
    endpointsOf: (service: Service) => mesh.endpoints.of(service),
  });
}

function viewOf(mesh: Mesh, proxy: Proxy): ProxyView {
  const { type, namespace, capture, localPorts, localAddresses, outsidePorts, dnsCapture } = proxy;
  const labels: Record<string, string> = {};
  for (const name of labelNames(mesh)) {
    const value = proxy.labels[name];
    if (value !== undefined) labels[name] = value;
  }
  const ofRouter =
    type === "router"
      ? { targetPorts: targetPortsOf(mesh, proxy), trustedHops: trustedHopsOf(mesh, proxy) }
      : { targetPorts: {}, trustedHops: 0 };
  return { type, namespace, labels, capture, localPorts, localAddresses, outsidePorts, dnsCapture, ...ofRouter };
}

/** The Pod's own ProxyConfig counts before the mesh's (Istio, ProxyConfig). */
function trustedHopsOf(mesh: Mesh, proxy: Proxy): number {
  const workload = mesh.workloads.ofProxy(proxy);
  const own = workload === undefined ? undefined : mesh.find(workload.origin.ref);
  return trustedProxiesOf(own?.metadata.annotations ?? {}, mesh.settings.numTrustedProxies);
}

const readLabels = new WeakMap<Mesh, ReadonlySet<string>>();

/** The labels of clients that any rule looks at. */
function labelNames(mesh: Mesh): ReadonlySet<string> {
  const cached = readLabels.get(mesh);
  if (cached !== undefined) return cached;
  const names = new Set([...mesh.virtualServices.clientLabels(), ...mesh.destinationRules.clientLabels()].toSorted());
  readLabels.set(mesh, names);
  return names;
}

/** Istio's rule: a Gateway's port is that of the Service in front of the gateway; the proxy binds the Service's target port. */
function targetPortsOf(mesh: Mesh, proxy: Proxy): Readonly<Record<string, number>> {
  const own = mesh.workloads.ofProxy(proxy);
  const ports: Record<string, number> = {};
  for (const service of mesh.services.visibleFrom(proxy.namespace).values()) {
    if (service.kind !== "kubernetes" || service.namespace !== proxy.namespace) continue;
    for (const { ports: endpointPorts, address, workload } of mesh.endpoints.of(service).endpoints) {
      const isOwn = own === undefined ? proxy.addresses.includes(address) : workload === `${own.namespace}/${own.name}`;
      if (isOwn) for (const [number, { port }] of endpointPorts) ports[number] ??= port;
    }
  }
  return ports;
}
