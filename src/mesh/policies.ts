import { part } from "../base/part.ts";
import { emptyTree, valuesOf } from "../base/tree.ts";
import { refOf, type Resource } from "../model/resource.ts";
import type { AuthorizationPolicyBody, PeerAuthenticationBody, RequestAuthenticationBody } from "../schema/bodies.ts";
import { byAge } from "./age.ts";
import type { ResourceTable, Shard } from "./resource-table.ts";
import { labelKey, matchesLabels } from "./visibility.ts";

interface BodyByKind {
  readonly PeerAuthentication: PeerAuthenticationBody;
  readonly RequestAuthentication: RequestAuthenticationBody;
  readonly AuthorizationPolicy: AuthorizationPolicyBody;
}

export type PolicyKind = keyof BodyByKind;

/** The policies of one kind that concern a workload, by how near they stand; each list the oldest first. */
export interface PoliciesOf<Kind extends PolicyKind> {
  /** Of the root namespace, without a selector: the whole mesh. */
  readonly mesh: readonly Resource<BodyByKind[Kind]>[];
  /** Of the workload's namespace, without a selector. */
  readonly namespace: readonly Resource<BodyByKind[Kind]>[];
  /** With a selector that the workload's labels match, of its namespace or of the root namespace. */
  readonly workload: readonly Resource<BodyByKind[Kind]>[];
}

/** The policies of one kind and namespace, the oldest first. */
interface Declared {
  readonly toAll: readonly Resource[];
  /** By one label of their selector, which a workload must have. */
  readonly byLabel: ReadonlyMap<string, readonly Selecting[]>;
}

interface Selecting {
  readonly policy: Resource;
  readonly labels: Readonly<Record<string, string>>;
  readonly rank: number;
}

/** PeerAuthentication, RequestAuthentication and AuthorizationPolicy by namespace and selector. */
export class PolicyIndex {
  readonly #table: ResourceTable;
  readonly #rootNamespace: string;

  constructor(table: ResourceTable, rootNamespace: string) {
    this.#table = table;
    this.#rootNamespace = rootNamespace;
  }

  /** What concerns a workload. A policy with `targetRefs` names a Gateway or Service instead and is not among them. */
  find<Kind extends PolicyKind>(
    kind: Kind,
    workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  ): PoliciesOf<Kind> {
    const root = declaredIn(this.#table.shard(kind, this.#rootNamespace));
    const isOfRoot = workload.namespace === this.#rootNamespace;
    const own = declaredIn(isOfRoot ? emptyTree() : this.#table.shard(kind, workload.namespace));
    const found = {
      mesh: root.toAll,
      namespace: own.toAll,
      workload: [...selecting(own, workload.labels), ...selecting(root, workload.labels)],
    };
    return found as PoliciesOf<Kind>;
  }
}

const declaredIn = part((shard: Shard): Declared => {
  const toAll: Resource[] = [];
  const byLabel = new Map<string, Selecting[]>();
  const policies = [...valuesOf(shard)].sort((a, b) => byAge(ageOf(a), ageOf(b)));
  for (const [rank, policy] of policies.entries()) {
    const labels = selectorOf(policy);
    const [first] = Object.entries(labels ?? {});
    if (labels === undefined || first === undefined) {
      if (appliesToAll(policy)) toAll.push(policy);
      continue;
    }
    const label = labelKey(first);
    const others = byLabel.get(label);
    const entry = { policy, labels, rank };
    if (others === undefined) byLabel.set(label, [entry]);
    else others.push(entry);
  }
  return { toAll, byLabel };
});

function selecting(declared: Declared, labels: Readonly<Record<string, string>>): readonly Resource[] {
  if (declared.byLabel.size === 0) return [];
  return Object.entries(labels)
    .flatMap((label) => declared.byLabel.get(labelKey(label)) ?? [])
    .filter((entry) => matchesLabels(entry.labels, labels))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ policy }) => policy);
}

function appliesToAll(policy: Resource): boolean {
  const { spec } = policy.body as AuthorizationPolicyBody;
  return selectorOf(policy) === undefined && spec?.targetRef === undefined && (spec?.targetRefs ?? []).length === 0;
}

/** Labels of the workloads that a policy is for; undefined for all: an empty selector is as good as none. */
export function selectorOf(policy: Resource): Readonly<Record<string, string>> | undefined {
  const labels = (policy.body as AuthorizationPolicyBody).spec?.selector?.matchLabels;
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels;
}

function ageOf(resource: Resource) {
  return { ...refOf(resource), created: resource.metadata.creationTimestamp ?? "" };
}
