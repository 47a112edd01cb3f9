import { HostTable } from "../base/host-match.ts";
import { part } from "../base/part.ts";
import { stableHash } from "../base/stable-hash.ts";
import { valuesOf } from "../base/tree.ts";
import type { Origin } from "../model/origin.ts";
import { type Resource, refOf } from "../model/resource.ts";
import type { DestinationRuleBody } from "../schema/bodies.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { byAge } from "./age.ts";
import type { ResourceTable, Shard } from "./resource-table.ts";
import { isExported, matchesLabels, qualifyHost } from "./visibility.ts";

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
  readonly #table: ResourceTable;
  readonly #settings: MeshSettings;

  constructor(table: ResourceTable, settings: MeshSettings) {
    this.#table = table;
    this.#settings = settings;
  }

  /** Finds the rule that governs traffic to a host. Istio's order: the client's namespace, then the service's, then the root namespace. */
  find(host: string, { client, service }: DestinationRuleLookup): DestinationRule | undefined {
    const { rootNamespace } = this.#settings;
    const order = client.namespace === rootNamespace ? [service, rootNamespace] : [client.namespace, service, rootNamespace];
    for (const namespace of order) {
      if (namespace === undefined) continue;
      const rule = this.#findIn(namespace, host, client);
      if (rule !== undefined) return rule;
    }
    return undefined;
  }

  /** Names of the labels that `workloadSelector` anywhere asks for. */
  *clientLabels(): Iterable<string> {
    for (const shard of valuesOf(this.#table.ofKind("DestinationRule")))
      for (const { clients } of rulesIn(shard, this.#settings).forSome) yield* Object.keys(clients);
  }

  #findIn(namespace: string, host: string, client: DestinationRuleLookup["client"]): DestinationRule | undefined {
    const rules = rulesIn(this.#table.shard("DestinationRule", namespace), this.#settings);
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

/** The rules of one namespace, those of one host merged. */
const rulesIn = part((shard: Shard, settings: MeshSettings): RulesOfNamespace => {
  const rules = [...valuesOf(shard)].map((resource) => readRule(resource as Resource<DestinationRuleBody>, settings)).sort(byAge);
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
});

interface RulesOfNamespace {
  readonly all: HostTable<DestinationRule>;
  readonly forSome: readonly DestinationRule[];
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
