import { Interner } from "../../base/intern.ts";
import { canonicalJson } from "../../base/stable-hash.ts";
import { itemsOf, part, type Tuple, tupleOf } from "../../base/part.ts";
import { type DestinationRule, type MeshSettings, type ProxyView, type Scope, type VirtualService } from "../../mesh/index.ts";
import type { Service } from "../../model/service.ts";
import { destinationsOf } from "./route-key.ts";
import type { Destinations } from "./route-destination.ts";

/** All that the routes of a VirtualService depend on at sidecars, beside the port. */
export interface MeshRouting {
  readonly virtualService: VirtualService;
  readonly audience: Audience;
  readonly destinations: Destinations;
}

/** What a VirtualService can tell of its clients: their namespace where a route asks for it, and the labels that some route reads. */
export interface Audience {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The same object wherever the VirtualService, what it can tell of the clients and what its destinations are is the same. */
export function routingOf(scope: Scope, virtualService: VirtualService): MeshRouting {
  const hosts = destinationsOf(virtualService, scope.settings);
  const found = hosts.flatMap((host) => {
    const service = scope.services.get(host);
    return service === undefined ? [ABSENT, ABSENT] : [service, scope.ruleFor(service) ?? ABSENT];
  });
  return routing(virtualService, audienceOf(virtualService, scope.proxy), tupleOf(found), scope.settings);
}

const ABSENT = Object.freeze({});

const routing = part((virtualService: VirtualService, audience: Audience, found: Tuple, settings: MeshSettings): MeshRouting => {
  const known = itemsOf(found);
  const hosts = destinationsOf(virtualService, settings);
  const services = new Map<string, Service>();
  const rules = new Map<Service, DestinationRule>();
  for (const [i, host] of hosts.entries()) {
    const [service, rule] = [known[2 * i], known[2 * i + 1]];
    if (service === undefined || service === ABSENT) continue;
    services.set(host, service as Service);
    if (rule !== ABSENT) rules.set(service as Service, rule as DestinationRule);
  }
  const destinations = { settings, serviceOf: (host: string) => services.get(host), ruleFor: (service: Service) => rules.get(service) };
  return { virtualService, audience, destinations };
});

const EVERYONE: Audience = Object.freeze({ namespace: "", labels: Object.freeze({}) });
const audiences = new Interner<Audience>();

/** Held by the two that it is made of. */
const audienceOf = part((virtualService: VirtualService, proxy: ProxyView): Audience => {
  const { readsNamespace, labels: names } = readingsOf(virtualService);
  if (!readsNamespace && names.length === 0) return EVERYONE;
  const namespace = readsNamespace ? proxy.namespace : "";
  const labels = Object.fromEntries(names.flatMap((name) => (proxy.labels[name] === undefined ? [] : [[name, proxy.labels[name]]])));
  return audiences.get(canonicalJson([namespace, labels]), () => Object.freeze({ namespace, labels }));
});

/** What the matches of a VirtualService's HTTP routes ask of the client. */
const readingsOf = part(({ spec }: VirtualService) => {
  const matches = (spec.http ?? []).flatMap(({ match }) => match ?? []);
  return {
    readsNamespace: matches.some(({ sourceNamespace = "" }) => sourceNamespace !== ""),
    labels: [...new Set(matches.flatMap(({ sourceLabels }) => Object.keys(sourceLabels ?? {})))].toSorted(),
  };
});
