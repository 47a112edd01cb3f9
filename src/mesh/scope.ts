import { HostTable } from "../base/host-match.ts";
import { stableHash } from "../base/stable-hash.ts";
import type { Proxy } from "../model/proxy.ts";
import type { Service } from "../model/service.ts";
import { trustedProxiesOf } from "../schema/proxy-config.ts";
import type { DestinationRule } from "./destination-rules.ts";
import { type EndpointSet, NO_ENDPOINTS } from "./endpoint-set.ts";
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

/** A scope that nobody asked for while so many meshes passed is forgotten. */
const FORGOTTEN_AFTER = 16;

interface Known {
  readonly scope: Scope;
  /** All that the scope says, one after the other. */
  readonly says: readonly (object | string | undefined)[];
  readonly mesh: Mesh;
  usedIn: number;
}

/**
 * The scopes of proxies. Two proxies with equal views have one, and an edited mesh has the very same one where it says the same of what they see:
 * what is made of a scope can be remembered by it. A view stays the same object from scope to scope.
 */
export class Scopes {
  readonly #byView = new Map<string, Known>();
  #mesh: Mesh | undefined;
  #meshes = 0;

  of(mesh: Mesh, proxy: Proxy): Scope {
    if (mesh !== this.#mesh) this.#turn(mesh);
    const seen = viewOf(mesh, proxy);
    const key = stableHash([seen, proxy.type === "router" ? proxy.labels : null]);
    const known = this.#byView.get(key);
    const view = known?.scope.proxy ?? seen;
    if (known?.mesh === mesh) {
      known.usedIn = this.#meshes;
      return known.scope;
    }
    const { scope, says } = buildScope(mesh, proxy, view);
    const isSame = known !== undefined && areSame(known.says, says);
    const kept = isSame ? known : { scope, says };
    this.#byView.set(key, { ...kept, mesh, usedIn: this.#meshes });
    return kept.scope;
  }

  #turn(mesh: Mesh): void {
    this.#mesh = mesh;
    this.#meshes++;
    for (const [key, { usedIn }] of this.#byView) if (usedIn < this.#meshes - FORGOTTEN_AFTER) this.#byView.delete(key);
  }
}

/** The scope of one proxy, for those who ask once. */
export function scopeFor(mesh: Mesh, proxy: Proxy): Scope {
  return new Scopes().of(mesh, proxy);
}

function areSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((said, i) => said === other[i]);
}

function buildScope(mesh: Mesh, proxy: Proxy, view: ProxyView): Pick<Known, "scope" | "says"> {
  const services = mesh.services.visibleFrom(view.namespace);
  const isRouter = view.type === "router";
  const virtualServices = isRouter ? [] : mesh.virtualServices.listForSidecars(view.namespace);
  const table = new HostTable(virtualServices);
  const gateways = (isRouter ? mesh.gateways.forProxy(proxy) : []).map((gateway) => ({
    gateway,
    virtualServices: mesh.virtualServices.forGateway(`${gateway.namespace}/${gateway.name}`, view.namespace),
  }));
  const rules = new Map<Service, DestinationRule | undefined>();
  const endpoints = new Map<Service, EndpointSet>();
  const says: Known["says"][number][] = [mesh.settings];
  for (const service of services.values()) {
    const rule = mesh.destinationRules.find(service.host, { client: view, service: service.namespace });
    const set = mesh.endpoints.of(service);
    rules.set(service, rule);
    endpoints.set(service, set);
    says.push(service, rule, set);
  }
  // Nothing of one list can be taken for something of the next.
  says.push("virtual services", ...virtualServices.flat());
  for (const { gateway, virtualServices: own } of gateways) says.push("gateway", gateway, ...own);
  const scope = Object.freeze({
    settings: mesh.settings,
    proxy: view,
    services,
    virtualServices,
    gateways,
    virtualServiceFor: (host: string) => table.find(host),
    ruleFor: (service: Service) => rules.get(service),
    endpointsOf: (service: Service) => endpoints.get(service) ?? NO_ENDPOINTS,
  });
  return { scope, says };
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
