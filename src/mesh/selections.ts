import { emptyTree, type Tree, valuesOf } from "../base/tree.ts";
import { type Groups, groupOf, GroupsDraft } from "../base/tree-draft.ts";
import { formatRef, refOf, type Resource, type ResourceRef } from "../model/resource.ts";
import type { EndpointSliceBody } from "../schema/bodies.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { ResourceChange } from "./resource-table.ts";
import { draftsOf } from "./service.ts";
import { labelKey, matchesLabels } from "./visibility.ts";
import type { IndexedWorkload } from "./workload.ts";

interface Selection {
  /** The Service or ServiceEntry that selects. */
  readonly ref: ResourceRef;
  readonly selector: Readonly<Record<string, string>>;
}

interface State {
  /** By namespace and one label that a workload must have, or none. */
  readonly selections: Groups<Selection>;
  /** By `namespace/service`. */
  readonly slices: Groups<Resource<EndpointSliceBody>>;
  /** The Services whose slices name a Pod, by `namespace/pod`. */
  readonly listings: Groups<ResourceRef>;
}

/** From workloads to the Services and ServiceEntries that may lead to them: who is concerned when a workload changes. */
export class SelectionIndex {
  static readonly EMPTY = new SelectionIndex({ selections: emptyTree(), slices: emptyTree(), listings: emptyTree() });
  readonly #state: State;

  private constructor(state: State) {
    this.#state = state;
  }

  with(changes: Iterable<ResourceChange>, settings: MeshSettings): SelectionIndex {
    const draft = new Draft(this.#state, settings);
    for (const { ref, before, after } of changes) {
      if (ref.kind === "EndpointSlice") draft.replaceSlice(before, after);
      else if (ref.kind === "Service" || ref.kind === "ServiceEntry") draft.replaceSelection(before, after);
    }
    return new SelectionIndex(draft.done());
  }

  /** Services and ServiceEntries that select a workload or list it, each once. */
  leadingTo({ kind, namespace, name, labels }: IndexedWorkload): Iterable<ResourceRef> {
    const keys = ["", ...Object.entries(labels).map(labelKey)].map((label) => selectionKey(namespace, label));
    const selecting = keys
      .flatMap((key) => [...valuesOf(groupOf(this.#state.selections, key))])
      .filter(({ selector }) => matchesLabels(selector, labels))
      .map(({ ref }) => ref);
    const listing = kind === "Pod" ? valuesOf(groupOf(this.#state.listings, `${namespace}/${name}`)) : [];
    return new Map([...selecting, ...listing].map((ref) => [formatRef(ref), ref])).values();
  }

  slicesOf({ namespace, name }: { readonly namespace: string; readonly name: string }): readonly Resource<EndpointSliceBody>[] {
    return [...valuesOf(this.#slices(`${namespace}/${name}`))];
  }

  #slices(key: string): Tree<Resource<EndpointSliceBody>> {
    return groupOf(this.#state.slices, key);
  }
}

/** The Service that an EndpointSlice belongs to. */
export function serviceOfSlice({ metadata: { namespace, labels } }: Resource): ResourceRef {
  return { kind: "Service", namespace, name: labels["kubernetes.io/service-name"] ?? "" };
}

class Draft {
  readonly #selections: GroupsDraft<Selection>;
  readonly #slices: GroupsDraft<Resource<EndpointSliceBody>>;
  readonly #listings: GroupsDraft<ResourceRef>;
  readonly #settings: MeshSettings;

  constructor({ selections, slices, listings }: State, settings: MeshSettings) {
    this.#selections = new GroupsDraft(selections);
    this.#slices = new GroupsDraft(slices);
    this.#listings = new GroupsDraft(listings);
    this.#settings = settings;
  }

  replaceSlice(before: Resource | undefined, after: Resource | undefined): void {
    if (before !== undefined) this.#putSlice(before as Resource<EndpointSliceBody>, undefined);
    if (after !== undefined) this.#putSlice(after as Resource<EndpointSliceBody>, after as Resource<EndpointSliceBody>);
  }

  replaceSelection(before: Resource | undefined, after: Resource | undefined): void {
    if (before !== undefined) this.#putSelection(before, false);
    if (after !== undefined) this.#putSelection(after, true);
  }

  done(): State {
    return { selections: this.#selections.done(), slices: this.#slices.done(), listings: this.#listings.done() };
  }

  #putSlice(slice: Resource<EndpointSliceBody>, value: Resource<EndpointSliceBody> | undefined): void {
    const { name, namespace } = slice.metadata;
    const service = serviceOfSlice(slice);
    for (const { targetRef } of slice.body.endpoints ?? []) {
      if (targetRef?.kind === "Pod" && targetRef.name !== undefined)
        this.#listings.set(`${namespace}/${targetRef.name}`, name, value && service);
    }
    this.#slices.set(`${namespace}/${service.name}`, name, value);
  }

  #putSelection(resource: Resource, isThere: boolean): void {
    const selector = draftsOf(resource, this.#settings)[0]?.selector;
    if (selector === undefined) return;
    const [first] = Object.entries(selector);
    const key = selectionKey(resource.metadata.namespace, first === undefined ? "" : labelKey(first));
    const ref = refOf(resource);
    this.#selections.set(key, formatRef(ref), isThere ? { ref, selector } : undefined);
  }
}

function selectionKey(namespace: string, label: string): string {
  return `${namespace}\0${label}`;
}
