import { emptyTree, entriesOf, isEmpty, lookUp, type Tree, valuesOf } from "../base/tree.ts";
import { groupOf, type Groups, GroupsDraft, TreeDraft } from "../base/tree-draft.ts";
import type { ResourceChange } from "./resource-table.ts";
import { labelKey, matchesLabels } from "./visibility.ts";
import { type IndexedWorkload, readWorkload } from "./workload.ts";

/** The workloads of one namespace. */
interface WorkloadShard {
  /** A Pod before a WorkloadEntry of its name. */
  readonly byName: Tree<IndexedWorkload>;
  /** By one label of theirs, each as often as it has labels. */
  readonly byLabel: Groups<IndexedWorkload>;
  readonly byAddress: Groups<IndexedWorkload>;
}

const NONE: WorkloadShard = { byName: emptyTree(), byLabel: emptyTree(), byAddress: emptyTree() };

/** Pods and WorkloadEntries by namespace, name, label and address. */
export class WorkloadIndex {
  static readonly EMPTY = new WorkloadIndex(emptyTree());
  readonly #shards: Tree<WorkloadShard>;

  private constructor(shards: Tree<WorkloadShard>) {
    this.#shards = shards;
  }

  with(changes: Iterable<ResourceChange>): WorkloadIndex {
    const drafts = new Map<string, ShardDraft>();
    for (const { ref, before, after } of changes) {
      if (ref.kind !== "Pod" && ref.kind !== "WorkloadEntry") continue;
      let draft = drafts.get(ref.namespace);
      if (draft === undefined) drafts.set(ref.namespace, (draft = new ShardDraft(this.#shard(ref.namespace))));
      draft.replace(readWorkload(before), readWorkload(after));
    }
    if (drafts.size === 0) return this;
    const shards = new TreeDraft(this.#shards);
    for (const [namespace, draft] of drafts) {
      const shard = draft.done();
      shards.set(namespace, isEmpty(shard.byName) ? undefined : shard);
    }
    return new WorkloadIndex(shards.done());
  }

  /** Namespaces that have workloads. */
  *namespaces(): Iterable<string> {
    for (const [namespace] of entriesOf(this.#shards)) yield namespace;
  }

  /** In order of name. */
  inNamespace(namespace: string): readonly IndexedWorkload[] {
    return [...valuesOf(this.#shard(namespace).byName)];
  }

  /** In order of name. */
  select(namespace: string, selector: Readonly<Record<string, string>>): readonly IndexedWorkload[] {
    const { byName, byLabel } = this.#shard(namespace);
    const [first] = Object.entries(selector);
    const candidates = first === undefined ? byName : groupOf(byLabel, labelKey(first));
    return [...valuesOf(candidates)].filter((workload) => matchesLabels(selector, workload.labels));
  }

  find(kind: "Pod" | "WorkloadEntry", namespace: string, name: string): IndexedWorkload | undefined {
    return lookUp(this.#shard(namespace).byName, nameKey({ kind, name }));
  }

  /** A Pod counts before a WorkloadEntry of its name. */
  named(namespace: string, name: string): IndexedWorkload | undefined {
    return this.find("Pod", namespace, name) ?? this.find("WorkloadEntry", namespace, name);
  }

  /** The workload that a proxy stands beside: by name, else by address. Undefined before the workload was declared. */
  ofProxy(proxy: {
    readonly namespace: string;
    readonly name: string;
    readonly addresses: readonly string[];
  }): IndexedWorkload | undefined {
    const { namespace, name, addresses } = proxy;
    return this.named(namespace, name) ?? this.#at(namespace, addresses);
  }

  #at(namespace: string, addresses: readonly string[]): IndexedWorkload | undefined {
    const { byAddress } = this.#shard(namespace);
    const found = addresses.filter((address) => address !== "").flatMap((address) => [...entriesOf(groupOf(byAddress, address))]);
    return found.sort(([a], [b]) => (a < b ? -1 : 1))[0]?.[1];
  }

  #shard(namespace: string): WorkloadShard {
    return lookUp(this.#shards, namespace) ?? NONE;
  }
}

class ShardDraft {
  readonly #byName: TreeDraft<IndexedWorkload>;
  readonly #byLabel: GroupsDraft<IndexedWorkload>;
  readonly #byAddress: GroupsDraft<IndexedWorkload>;

  constructor({ byName, byLabel, byAddress }: WorkloadShard) {
    this.#byName = new TreeDraft(byName);
    this.#byLabel = new GroupsDraft(byLabel);
    this.#byAddress = new GroupsDraft(byAddress);
  }

  replace(before: IndexedWorkload | undefined, after: IndexedWorkload | undefined): void {
    if (before !== undefined) this.#put(before, undefined);
    if (after !== undefined) this.#put(after, after);
  }

  done(): WorkloadShard {
    return { byName: this.#byName.done(), byLabel: this.#byLabel.done(), byAddress: this.#byAddress.done() };
  }

  #put(workload: IndexedWorkload, value: IndexedWorkload | undefined): void {
    const key = nameKey(workload);
    this.#byName.set(key, value);
    for (const label of Object.entries(workload.labels)) this.#byLabel.set(labelKey(label), key, value);
    this.#byAddress.set(workload.address, key, value);
  }
}

function nameKey({ kind, name }: Pick<IndexedWorkload, "kind" | "name">): string {
  return `${name}\0${kind}`;
}
