import { HostTable } from "../base/host-match.ts";
import { stableHash } from "../base/stable-hash.ts";
import type { Origin } from "../model/origin.ts";
import { type Resource, refOf } from "../model/resource.ts";
import type { DestinationRuleBody } from "../schema/bodies.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { byAge, isExported, matchesLabels, qualifyHost } from "./visibility.ts";

export type DestinationRuleSpec = NonNullable<DestinationRuleBody["spec"]>;
export type TrafficPolicy = NonNullable<DestinationRuleSpec["trafficPolicy"]>;

/** One host's rule; several DestinationRules of a namespace for one host are merged into one. */
export interface DestinationRule {
  readonly host: string;
  readonly namespace: string;
  readonly exportTo: readonly string[];
  /** Labels of the clients that it is for; empty for all. */
  readonly clients: Readonly<Record<string, string>>;
  readonly trafficPolicy?: { readonly policy: TrafficPolicy; readonly origin: Origin };
  readonly subsets: readonly Subset[];
  readonly hash: string;
  readonly origin: readonly Origin[];
}

export interface Subset {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly policy?: TrafficPolicy;
  readonly origin: Origin;
}

export interface DestinationRuleLookup {
  readonly client: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
  /** The namespace of the service; undefined where the host has none. */
  readonly service: string | undefined;
}

/** DestinationRules by namespace and host. */
export class DestinationRuleIndex {
  readonly #byNamespace: ReadonlyMap<string, { readonly all: HostTable<DestinationRule>; readonly forSome: readonly DestinationRule[] }>;
  readonly #rootNamespace: string;

  constructor(resources: Iterable<Resource>, settings: MeshSettings) {
    const read: ReadRule[] = [];
    for (const resource of resources)
      if (resource.kind === "DestinationRule") read.push(readRule(resource as Resource<DestinationRuleBody>, settings));
    read.sort(byAge);
    const byNamespace = new Map<string, ReadRule[]>();
    for (const rule of read) {
      const list = byNamespace.get(rule.namespace);
      if (list === undefined) byNamespace.set(rule.namespace, [rule]);
      else list.push(rule);
    }
    this.#byNamespace = new Map([...byNamespace].map(([namespace, rules]) => [namespace, indexRules(rules)]));
    this.#rootNamespace = settings.rootNamespace;
  }

  /** Finds the rule that governs traffic to a host. Istio's order: the client's namespace, then the service's, then the root namespace. */
  find(host: string, { client, service }: DestinationRuleLookup): DestinationRule | undefined {
    const order =
      client.namespace === this.#rootNamespace ? [service, this.#rootNamespace] : [client.namespace, service, this.#rootNamespace];
    for (const namespace of order) {
      if (namespace === undefined) continue;
      const rule = this.#findIn(namespace, host, client);
      if (rule !== undefined) return rule;
    }
    return undefined;
  }

  /** Names of the labels that `workloadSelector` anywhere asks for. */
  *clientLabels(): Iterable<string> {
    for (const { forSome } of this.#byNamespace.values()) for (const { clients } of forSome) yield* Object.keys(clients);
  }

  #findIn(namespace: string, host: string, client: DestinationRuleLookup["client"]): DestinationRule | undefined {
    const rules = this.#byNamespace.get(namespace);
    if (rules === undefined) return undefined;
    if (namespace === client.namespace) {
      const own = rules.forSome.find(
        (rule) => matchesLabels(rule.clients, client.labels) && new HostTable([[rule.host, rule]]).find(host) !== undefined,
      );
      if (own !== undefined) return own;
    }
    const rule = rules.all.find(host);
    return rule !== undefined && isExported(rule.exportTo, namespace, client.namespace) ? rule : undefined;
  }
}

interface ReadRule extends DestinationRule {
  readonly name: string;
  readonly created: string;
}

function indexRules(rules: readonly ReadRule[]) {
  const merged = new Map<string, DestinationRule>();
  const forSome: DestinationRule[] = [];
  for (const rule of rules) {
    if (Object.keys(rule.clients).length > 0) {
      forSome.push(rule);
      continue;
    }
    const older = merged.get(rule.host);
    merged.set(rule.host, older === undefined ? rule : merge(older, rule));
  }
  return { all: new HostTable(merged), forSome };
}

/** Subsets of both, the older's where a name is in both; the older's traffic policy, or the younger's where it has none (Istio's rule). */
function merge(older: DestinationRule, younger: DestinationRule): DestinationRule {
  const names = new Set(older.subsets.map(({ name }) => name));
  const trafficPolicy = older.trafficPolicy ?? younger.trafficPolicy;
  return {
    ...older,
    ...(trafficPolicy !== undefined && { trafficPolicy }),
    subsets: [...older.subsets, ...younger.subsets.filter(({ name }) => !names.has(name))],
    hash: stableHash([older.hash, younger.hash]),
    origin: [...older.origin, ...younger.origin],
  };
}

function readRule(resource: Resource<DestinationRuleBody>, settings: MeshSettings): ReadRule {
  const { metadata, hash } = resource;
  const spec: Partial<DestinationRuleSpec> = resource.body.spec ?? {};
  const ref = refOf(resource);
  const subsets = (spec.subsets ?? []).map(
    (subset, i): Subset => ({
      name: subset.name,
      labels: subset.labels ?? {},
      ...(subset.trafficPolicy !== undefined && { policy: subset.trafficPolicy as TrafficPolicy }),
      origin: { ref, path: ["spec", "subsets", i] },
    }),
  );
  const policy = spec.trafficPolicy;
  return {
    host: qualifyHost(spec.host ?? "", metadata.namespace, settings.clusterDomain),
    name: metadata.name,
    namespace: metadata.namespace,
    created: metadata.creationTimestamp ?? "",
    exportTo: spec.exportTo === undefined || spec.exportTo.length === 0 ? settings.defaultExportTo.destinationRule : spec.exportTo,
    clients: spec.workloadSelector?.matchLabels ?? {},
    ...(policy !== undefined && { trafficPolicy: { policy, origin: { ref, path: ["spec", "trafficPolicy"] } } }),
    subsets,
    hash,
    origin: [{ ref, path: ["spec"] }],
  };
}
