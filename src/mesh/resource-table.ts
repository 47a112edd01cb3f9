import { emptyTree, lookUp, type Tree, valuesOf } from "../base/tree.ts";
import { type Groups, groupOf, GroupsDraft, TreeDraft } from "../base/tree-draft.ts";
import { formatRef, refOf, type Resource, type ResourceRef } from "../model/resource.ts";

/** What shall be declared under a name from now on; undefined for nothing. */
export interface ResourceEdit {
  readonly ref: ResourceRef;
  readonly resource: Resource | undefined;
}

/** An edit that changes something, with what was there before. */
export interface ResourceChange {
  readonly ref: ResourceRef;
  readonly before: Resource | undefined;
  readonly after: Resource | undefined;
}

/** The resources of one kind and namespace, by name. The same object for as long as none of them changes. */
export type Shard<Body = unknown> = Tree<Resource<Body>>;

/** All resources by kind, namespace and name. An edited table shares with the one before all that was not edited. */
export class ResourceTable {
  static readonly EMPTY = new ResourceTable(emptyTree());
  readonly #kinds: Tree<Groups<Resource>>;

  private constructor(kinds: Tree<Groups<Resource>>) {
    this.#kinds = kinds;
  }

  find({ kind, namespace, name }: ResourceRef): Resource | undefined {
    return lookUp(this.shard(kind, namespace), name);
  }

  /** The shards of a kind, by namespace. */
  ofKind(kind: string): Groups<Resource> {
    return lookUp(this.#kinds, kind) ?? emptyTree();
  }

  shard(kind: string, namespace: string): Shard {
    return groupOf(this.ofKind(kind), namespace);
  }

  /** Every resource as if it had just been declared. */
  all(): readonly ResourceChange[] {
    const resources = [...valuesOf(this.#kinds)].flatMap((groups) => [...valuesOf(groups)].flatMap((shard) => [...valuesOf(shard)]));
    return resources.map((after) => ({ ref: refOf(after), before: undefined, after }));
  }

  /** Of two edits of one name the last counts. What has the content that is there already changes nothing and leaves the object that is there. */
  with(edits: Iterable<ResourceEdit>): { readonly table: ResourceTable; readonly changes: readonly ResourceChange[] } {
    const changes: ResourceChange[] = [];
    const drafts = new Map<string, GroupsDraft<Resource>>();
    for (const { ref, resource } of new Map([...edits].map((edit) => [formatRef(edit.ref), edit])).values()) {
      const { kind, namespace, name } = ref;
      const before = this.find(ref);
      if (before?.hash === resource?.hash) continue;
      let draft = drafts.get(kind);
      if (draft === undefined) drafts.set(kind, (draft = new GroupsDraft(this.ofKind(kind))));
      draft.set(namespace, name, resource);
      changes.push({ ref, before, after: resource });
    }
    const kinds = new TreeDraft(this.#kinds);
    for (const [kind, draft] of drafts) kinds.set(kind, draft.done());
    return { table: changes.length === 0 ? this : new ResourceTable(kinds.done()), changes };
  }
}
