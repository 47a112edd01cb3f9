import { emptyTree, entriesOf, lookUp, type Tree, valuesOf } from "../base/tree.ts";
import { groupOf, type Groups, GroupsDraft, TreeDraft } from "../base/tree-draft.ts";
import { formatRef, type Resource } from "../model/resource.ts";
import type { Service } from "../model/service.ts";
import { AddressPool } from "./addresses.ts";
import type { Finding } from "./finding.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { ResourceChange } from "./resource-table.ts";
import { draftsOf, findingOf, needsAddress, type ServiceDraft, serviceOf, UNALLOCATED } from "./service.ts";
import { claimsOf, findingsOf, type HostClaims, ownerOfName, seenFrom } from "./service-claims.ts";

interface State {
  readonly settings: MeshSettings;
  /** What is declared for a host, by who declares it. */
  readonly drafts: Groups<ServiceDraft>;
  readonly pools: Readonly<Record<Service["kind"], AddressPool>>;
  readonly claims: Tree<HostClaims>;
  /** By resource or host, where something is wrong. */
  readonly findings: Tree<readonly Finding[]>;
}

/** All services of the mesh by host, and which of them a namespace sees. */
export class ServiceIndex {
  readonly #state: State;
  readonly #visible = new Map<string, ReadonlyMap<string, Service>>();

  private constructor(state: State) {
    this.#state = state;
  }

  static empty(settings: MeshSettings): ServiceIndex {
    return new ServiceIndex({
      settings,
      drafts: emptyTree(),
      pools: { kubernetes: AddressPool.empty("kubernetes"), "service-entry": AddressPool.empty("service-entry") },
      claims: emptyTree(),
      findings: emptyTree(),
    });
  }

  with(changes: readonly ResourceChange[]): ServiceIndex {
    const concerned = changes.filter(({ ref }) => ref.kind === "Service" || ref.kind === "ServiceEntry");
    if (concerned.length === 0) return this;
    const edit = new Edit(this.#state);
    for (const change of concerned) edit.replace(change);
    return new ServiceIndex(edit.done());
  }

  get findings(): readonly Finding[] {
    return [...valuesOf(this.#state.findings)].flat();
  }

  /** What a client in `namespace` means by each host it can see, in order of host. Its own namespace's claim goes first. */
  visibleFrom(namespace: string): ReadonlyMap<string, Service> {
    const known = this.#visible.get(namespace);
    if (known !== undefined) return known;
    const visible = new Map<string, Service>();
    for (const [host, claims] of entriesOf(this.#state.claims)) {
      const service = seenFrom(claims, namespace, this.#state.settings);
      if (service !== undefined) visible.set(host, service);
    }
    this.#visible.set(namespace, visible);
    return visible;
  }

  find(host: string, viewer: string): Service | undefined {
    const claims = lookUp(this.#state.claims, host);
    return claims === undefined ? undefined : seenFrom(claims, viewer, this.#state.settings);
  }

  /** The namespace that may say, for the whole mesh, where a host's traffic goes; undefined where it is nobody's. */
  ownerOf(host: string): string | undefined {
    const owner = ownerOfHost(this.#state, host);
    return owner === undefined ? lookUp(this.#state.claims, host)?.claims[0]?.namespace : owner || undefined;
  }

  has(host: string): boolean {
    return lookUp(this.#state.claims, host) !== undefined;
  }

  /** What one resource declares, also what another claim hides. */
  declaredBy(resource: Resource): readonly Service[] {
    return draftsOf(resource, this.#state.settings).map((draft) => toService(this.#state, draft));
  }

  /** Every service once, also those that another claim hides. */
  *all(): Iterable<Service> {
    for (const { claims } of valuesOf(this.#state.claims)) yield* claims;
  }
}

/** What changes together when resources change. */
class Edit {
  readonly #touched = new Set<string>();
  readonly #before: State;
  readonly #drafts: GroupsDraft<ServiceDraft>;
  readonly #findings: TreeDraft<readonly Finding[]>;
  readonly #asked = { kubernetes: new Set<string>(), "service-entry": new Set<string>() };

  constructor(before: State) {
    this.#before = before;
    this.#drafts = new GroupsDraft(before.drafts);
    this.#findings = new TreeDraft(before.findings);
  }

  replace({ ref, before, after }: ResourceChange): void {
    const { settings } = this.#before;
    for (const draft of before === undefined ? [] : draftsOf(before, settings)) this.#put(draft, undefined);
    for (const draft of after === undefined ? [] : draftsOf(after, settings)) this.#put(draft, draft);
    this.#say(formatRef(ref), after === undefined ? [] : [findingOf(after) ?? []].flat());
  }

  done(): State {
    const { settings } = this.#before;
    const drafts = this.#drafts.done();
    const pools = { kubernetes: this.#allocated("kubernetes", drafts), "service-entry": this.#allocated("service-entry", drafts) };
    const state = { settings, drafts, pools };
    const claims = new TreeDraft(this.#before.claims);
    for (const host of this.#touched) {
      const services = [...valuesOf(groupOf(state.drafts, host))].map((draft) => toService(state, draft));
      const own = services.length === 0 ? undefined : claimsOf(host, ownerOfHost(state, host), services);
      claims.set(host, own);
      this.#say(`~${host}`, own === undefined ? [] : findingsOf(own, settings));
    }
    return { ...state, claims: claims.done(), findings: this.#findings.done() };
  }

  #put(draft: ServiceDraft, value: ServiceDraft | undefined): void {
    const { host, kind, namespace, name, origin } = draft;
    const key = `${kind}/${namespace}/${name}/${origin.path.at(-1)}`;
    this.#drafts.set(host, key, value);
    this.#touched.add(host);
    // Its short form is its namespace's now, or no longer.
    if (kind === "kubernetes") this.#touched.add(`${name}.${namespace}`);
    if (needsAddress(draft)) this.#asked[kind].add(host);
  }

  /** Gives addresses to hosts that need one now, and takes them from those that don't any more. */
  #allocated(kind: Service["kind"], drafts: Groups<ServiceDraft>): AddressPool {
    const needs = (host: string) => [...valuesOf(groupOf(drafts, host))].some((draft) => draft.kind === kind && needsAddress(draft));
    const asked = [...this.#asked[kind]];
    const { pool, moved } = this.#before.pools[kind].with(
      asked.filter(needs),
      asked.filter((host) => !needs(host)),
    );
    for (const host of moved) this.#touched.add(host);
    return pool;
  }

  #say(key: string, findings: readonly Finding[]): void {
    this.#findings.set(key, findings.length === 0 ? undefined : findings);
  }
}

function toService({ pools }: Pick<State, "pools">, draft: ServiceDraft): Service {
  return serviceOf(draft, (needsAddress(draft) ? pools[draft.kind].find(draft.host) : undefined) ?? UNALLOCATED);
}

function ownerOfHost({ drafts, settings: { clusterDomain } }: Pick<State, "drafts" | "settings">, host: string): string | undefined {
  const named = [...valuesOf(groupOf(drafts, `${host}.svc.${clusterDomain}`))].find(({ kind }) => kind === "kubernetes");
  return ownerOfName(host, clusterDomain, named?.namespace);
}
