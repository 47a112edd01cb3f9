import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { WorkloadRef } from "./decision.ts";
import type { TypedExtensionConfig } from "../gen/envoy/config/core/v3/extension_pb.js";
import { TrafficDirection } from "../gen/envoy/config/core/v3/base_pb.js";
import type { Listener } from "../gen/envoy/config/listener/v3/listener_pb.js";
import type { RouteConfiguration } from "../gen/envoy/config/route/v3/route_pb.js";
import { JwtAuthenticationSchema } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { HttpConnectionManagerSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Origin } from "../model/origin.ts";
import type { EnvoyResource, ResourceType, Snapshot } from "../translate/index.ts";
import type { ProxyLogLine } from "./proxy-log-line.ts";
import { findVirtualHost } from "./virtual-host-match.ts";

/** A node of a generated resource. */
export interface Place {
  readonly resource: EnvoyResource;
  readonly path: string;
}

/** The origins of the nearest node at or above a place. */
export function originsOf({ resource, path }: Place): readonly Origin[] {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const found = resource.origins.get(at);
    if (found !== undefined) return found;
    if (at === "") return [];
  }
}

/** Whether a slot holds an AuthorizationPolicy, named as in `ns[shop]-policy[users]-rule[0]`. */
function isOf(slot: EnvoyResource, policy: string): boolean {
  const [, namespace, name] = /^ns\[(.*?)\]-policy\[(.*?)\]/.exec(policy) ?? [];
  return [...slot.origins.values()].flat().some(({ ref }) => ref.namespace === namespace && ref.name === name);
}

/** Finds the generated node that a line of an access log names, and so the resource with its line in a file. */
export class OriginTable {
  readonly #snapshotOf: (workload: WorkloadRef) => Snapshot | undefined;

  constructor(snapshotOf: (workload: WorkloadRef) => Snapshot | undefined) {
    this.#snapshotOf = snapshotOf;
  }

  find(workload: WorkloadRef, type: ResourceType, name: string | undefined): EnvoyResource | undefined {
    return name === undefined ? undefined : this.#snapshotOf(workload)?.get(type)?.get(name);
  }

  listener({ workload, listener, filterChain }: ProxyLogLine): EnvoyResource | undefined {
    const named = this.find(workload, "listener", listener);
    if (named !== undefined || filterChain === undefined) return named;
    return this.#all(workload, "listener").find((resource) => chainPath(resource, filterChain) !== undefined);
  }

  filterChain(line: ProxyLogLine): Place | undefined {
    const resource = this.listener(line);
    const path = resource && chainPath(resource, line.filterChain);
    return resource === undefined || path === undefined ? undefined : { resource, path };
  }

  /** The listener that is bound to an address and port, or to the port alone. */
  listenerAt(workload: WorkloadRef, port: number): EnvoyResource | undefined {
    return this.#all(workload, "listener").find(({ message }) => {
      const at = (message as Listener).address?.address;
      return at?.case === "socketAddress" && at.value.portSpecifier.value === port;
    });
  }

  inboundListener(workload: WorkloadRef): EnvoyResource | undefined {
    return this.#all(workload, "listener").find(({ message }) => (message as Listener).trafficDirection === TrafficDirection.INBOUND);
  }

  /** The route that was taken; where none was, its virtual host, or the whole table. */
  route(line: ProxyLogLine): Place | undefined {
    const table = this.#routesOf(line);
    if (table === undefined) return undefined;
    const { resource, prefix, routes } = table;
    const place = line.route?.startsWith(`${resource.type}/${resource.name} `) ? line.route.slice(line.route.indexOf(" ") + 1) : undefined;
    if (place !== undefined && prefix === "") return { resource, path: place };
    const named = routes.virtualHosts.findIndex(({ name }) => name === line.virtualHost);
    // Envoy names no virtual host where none of its routes matched.
    const host = named === -1 ? (findVirtualHost(routes, line.authority ?? "")?.index ?? -1) : named;
    if (host === -1) return { resource, path: prefix.slice(0, -1) };
    const route = routes.virtualHosts[host]?.routes.findIndex(({ name }) => name === line.route) ?? -1;
    return { resource, path: `${prefix}virtualHosts[${host}]${route === -1 ? "" : `.routes[${route}]`}` };
  }

  /** What holds a policy of RBAC by its name; without one, the slot in which no ALLOW matched. */
  policy(line: ProxyLogLine, name: string | undefined): Place | undefined {
    const isOfBytes = line.of !== "request";
    const all = this.#all(line.workload, "extension").filter((slot) => slot.name.includes(".authz-"));
    const slots = all.filter((slot) => slot.name.includes(".tcp.") === isOfBytes);
    const path = name === undefined ? "" : `rules.policies[${JSON.stringify(name)}]`;
    const resource = slots.find((slot) => (name === undefined ? slot.name.endsWith("authz-allow") : slot.origins.has(path)));
    // A policy of which no rule is left stands there without an origin of its own.
    const whole = resource === undefined && name !== undefined ? slots.find((slot) => isOf(slot, name)) : undefined;
    return resource === undefined ? whole && { resource: whole, path: "" } : { resource, path };
  }

  /** The slot that asks an authorizer. */
  authorizer({ workload }: ProxyLogLine): Place | undefined {
    const resource = this.#all(workload, "extension").find((slot) => slot.references.some(({ type }) => type === "cluster"));
    return resource && { resource, path: "" };
  }

  /** The providers that know one of these issuers; all of them where none does. */
  tokenRules({ workload }: ProxyLogLine, issuers: readonly string[]): readonly Place[] {
    const slots = this.#all(workload, "extension").filter((slot) => slot.name.endsWith(".authn"));
    const named = slots.flatMap((resource) =>
      providersOf(resource)
        .filter(([, issuer]) => issuers.includes(issuer))
        .map(([name]) => ({ resource, path: `providers[${JSON.stringify(name)}]` })),
    );
    return named.length > 0 ? named : slots.map((resource) => ({ resource, path: "" }));
  }

  #routesOf(
    line: ProxyLogLine,
  ): { readonly resource: EnvoyResource; readonly prefix: string; readonly routes: RouteConfiguration } | undefined {
    const table = this.find(line.workload, "route", line.routeConfiguration);
    if (table !== undefined) return { resource: table, prefix: "", routes: table.message as RouteConfiguration };
    const chain = this.filterChain(line);
    if (chain === undefined) return undefined;
    const specifier = managerOf(chain)?.routeSpecifier;
    if (specifier?.case === "routeConfig") return { resource: chain.resource, prefix: `${chain.path}.`, routes: specifier.value };
    const named = this.find(line.workload, "route", specifier?.case === "rds" ? specifier.value.routeConfigName : undefined);
    return named && { resource: named, prefix: "", routes: named.message as RouteConfiguration };
  }

  #all(workload: WorkloadRef, type: ResourceType): readonly EnvoyResource[] {
    return [...(this.#snapshotOf(workload)?.get(type)?.values() ?? [])];
  }
}

function chainPath({ message }: EnvoyResource, name: string | undefined): string | undefined {
  const { filterChains, defaultFilterChain } = message as Listener;
  const index = filterChains.findIndex((chain) => chain.name === name);
  if (index !== -1) return `filterChains[${index}]`;
  return name !== undefined && defaultFilterChain?.name === name ? "defaultFilterChain" : undefined;
}

function managerOf({ resource, path }: Place) {
  const { filterChains, defaultFilterChain } = resource.message as Listener;
  const chain = path === "defaultFilterChain" ? defaultFilterChain : filterChains[Number(/\[(\d+)\]/.exec(path)?.[1])];
  for (const { configType } of chain?.filters ?? []) {
    const manager = configType.case === "typedConfig" ? anyUnpack(configType.value, HttpConnectionManagerSchema) : undefined;
    if (manager !== undefined) return manager;
  }
  return undefined;
}

function providersOf({ message }: EnvoyResource): readonly (readonly [name: string, issuer: string])[] {
  const any = (message as TypedExtensionConfig).typedConfig;
  const config = any && anyUnpack(any, JwtAuthenticationSchema);
  return Object.entries(config?.providers ?? {}).map(([name, { issuer }]) => [name, issuer]);
}
