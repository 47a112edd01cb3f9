import type { ResourceType } from "../../translate/envoy/resource.ts";
import type { Answer, Push, XdsRequest } from "./message.ts";
import { SENDING_ORDER, type Offer, type Offered, type Offers } from "./offer.ts";
import { collectReferences } from "./reference.ts";
import { Subscription } from "./subscription.ts";
import { hashVersions, versionOf } from "./version.ts";

const NOTHING_OFFERED: Offer = new Map();

/** Listeners let go first, in the message that changes listeners; what they named follows. */
const REMOVAL_ORDER: readonly ResourceType[] = ["route", "extension", "cluster", "endpoint", "secret"];

/** A cluster waits for these before it is acknowledged, so that "there is none" can't wait for that. */
const WARMED_BY: ReadonlySet<ResourceType> = new Set(["endpoint", "secret"]);

/**
 * All subscriptions of one stream, and what may leave next. Design, invariant 4: clusters, endpoints, secrets, extensions (policies), listeners,
 * routes; what goes away goes last, when nothing that the client holds names it. At most one unanswered message a type; the newest offer wins.
 */
export class StreamState {
  readonly #kind: "delta" | "sotw";
  readonly #nextNonce: () => string;
  readonly #removes: boolean;
  readonly #subscriptions = new Map<ResourceType, Subscription>();
  #offers: Offers = new Map();
  /** The client came with what it holds from an earlier stream. */
  #isResumed = false;
  /** Endpoints of the clusters that are on their way and change. */
  #rewarming: readonly Offered[] = [];

  /**
   * `nextNonce`: unique among all streams of a client, so that an answer to an earlier stream's message is never taken for one of this.
   * `removes: false` for an offer that may be incomplete, a copy for instance: what it lacks stays at the client.
   */
  constructor(kind: "delta" | "sotw", nextNonce: () => string, options: { readonly removes: boolean } = { removes: true }) {
    this.#kind = kind;
    this.#removes = options.removes;
    this.#nextNonce = nextNonce;
  }

  /** What the client shall hold from now on; has no dangling references (`findDangling`). */
  setOffers(offers: Offers): void {
    this.#offers = offers;
  }

  get offers(): Offers {
    return this.#offers;
  }

  subscriptions(): Iterable<Subscription> {
    return this.#subscriptions.values();
  }

  receive(request: XdsRequest): Answer {
    let subscription = this.#subscriptions.get(request.type);
    if (subscription === undefined) {
      subscription = new Subscription(request.type);
      this.#subscriptions.set(request.type, subscription);
    }
    const isFirst = !subscription.isOpen;
    if (isFirst && request.kind === "delta" && Object.keys(request.initialVersions).length > 0) this.#isResumed = true;
    const answer = subscription.receive(request);
    if (isFirst && request.kind === "sotw" && request.version !== "") this.#adoptEqual(subscription, request.version);
    // On a new stream the client names its endpoints after the changed clusters have left.
    if (isFirst && request.type === "endpoint" && this.#subscriptions.get("cluster")?.inFlight !== undefined)
      subscription.forget(this.#rewarming);
    return answer;
  }

  /** The next message that may leave now; undefined while there is nothing to say or an answer must come first. Call until undefined. */
  next(): Push | undefined {
    return this.#nextUpdate() ?? this.#nextRemoval();
  }

  /** True while a message is unanswered. */
  get isWaiting(): boolean {
    return this.#some((subscription) => subscription.inFlight !== undefined);
  }

  #nextUpdate(): Push | undefined {
    for (const type of SENDING_ORDER) {
      const subscription = this.#subscriptions.get(type);
      if (subscription === undefined || subscription.inFlight !== undefined) continue;
      const { changed, gone, absent } = subscription.compare(this.#offerOf(type));
      const removed = this.#removes ? this.#removedAtOnce(type, gone, absent) : [];
      const owes = this.#removes && subscription.owesAnswer;
      if (changed.length === 0 && removed.length === 0 && !owes) continue;
      const ready = this.#chooseReady(type, changed);
      if (ready === undefined || (ready.length === 0 && removed.length === 0 && !owes)) continue;
      if (type === "cluster") this.#rewarm(subscription, ready);
      return this.#send(subscription, ready, removed);
    }
    return undefined;
  }

  #removedAtOnce(type: ResourceType, gone: readonly string[], absent: readonly string[]): readonly string[] {
    if (type === "listener") return gone;
    return WARMED_BY.has(type) && this.#kind === "delta" ? absent : [];
  }

  /**
   * Clusters, endpoints and secrets need nothing: Envoy acknowledges clusters only when they are warm, that is, after their endpoints. A policy
   * waits for nothing but the clusters that it names itself. Listeners and routes wait until all that comes before them is acknowledged.
   */
  #chooseReady(type: ResourceType, changed: readonly Offered[]): readonly Offered[] | undefined {
    const batch = this.#subscriptions.get(type)?.chooseBatch(changed) ?? [];
    if (type === "extension") return batch.filter((resource) => this.#clustersAreHeld(resource));
    if (type !== "listener" && type !== "route") return batch;
    const before = SENDING_ORDER.slice(0, SENDING_ORDER.indexOf(type));
    return before.every((earlier) => this.#isSettled(earlier)) ? batch : undefined;
  }

  #isSettled(type: ResourceType): boolean {
    const subscription = this.#subscriptions.get(type);
    if (subscription === undefined) return true;
    return subscription.inFlight === undefined && subscription.compare(this.#offerOf(type)).changed.length === 0;
  }

  #clustersAreHeld({ references }: Offered): boolean {
    const clusters = this.#subscriptions.get("cluster");
    if (clusters === undefined) return true;
    const refused = new Set(clusters.refused.map(({ name }) => name));
    return references.every(
      ({ type, name }) => type !== "cluster" || clusters.held.has(name) || refused.has(name) || !clusters.wants(name),
    );
  }

  /** A changed cluster warms anew, and Envoy doesn't ask again for the endpoints that it has: they follow the cluster. */
  #rewarm(clusters: Subscription, changed: readonly Offered[]): void {
    const again = changed.filter(({ name }) => clusters.held.has(name)).flatMap(({ references }) => references);
    const endpoints = this.#offerOf("endpoint");
    this.#rewarming = again.flatMap(({ type, name }) => (type === "endpoint" ? (endpoints.get(name) ?? []) : []));
    this.#subscriptions.get("endpoint")?.forget(this.#rewarming);
  }

  /**
   * A client that comes back names its clusters first. Until it has also named its listeners, and the routes and policies that these name,
   * nobody knows what it still needs.
   */
  get #hasToldAll(): boolean {
    if (!this.#isResumed) return true;
    const listeners = this.#subscriptions.get("listener");
    if (listeners === undefined) return false;
    for (const { references } of listeners.possessions()) {
      if (references?.some(({ type }) => !this.#subscriptions.has(type) && (type === "route" || type === "extension")) === true)
        return false;
    }
    return true;
  }

  #nextRemoval(): Push | undefined {
    if (!this.#removes || !this.#hasToldAll || this.#some((subscription) => !this.#isSettled(subscription.type))) return undefined;
    let isNamed: ((reference: { type: ResourceType; name: string }) => boolean) | undefined;
    for (const type of REMOVAL_ORDER) {
      const subscription = this.#subscriptions.get(type);
      if (subscription === undefined) continue;
      const { gone, absent } = subscription.compare(this.#offerOf(type));
      if (gone.length === 0 && absent.length === 0) continue;
      isNamed ??= collectReferences([...this.#subscriptions].map(([held, one]) => [held, one.possessions()]));
      const removed = [...gone, ...absent].filter((name) => isNamed?.({ type, name }) === false);
      if (removed.length === 0) continue;
      if (this.#kind === "delta" || isSentWhole(subscription)) return this.#send(subscription, [], removed);
      subscription.drop(removed);
    }
    return undefined;
  }

  #send(subscription: Subscription, resources: readonly Offered[], removed: readonly string[]): Push {
    const offer = this.#offerOf(subscription.type);
    const head = { kind: this.#kind, type: subscription.type, nonce: this.#nextNonce(), removed } as const;
    const push =
      this.#kind === "delta"
        ? { ...head, version: versionOf(offer), resources }
        : { ...head, ...worldOf(subscription, resources, removed) };
    subscription.send(push);
    return push;
  }

  /** State of the world: a client that comes back with the version that we would give it needs nothing. */
  #adoptEqual(subscription: Subscription, version: string): void {
    const offer = this.#offerOf(subscription.type);
    const wanted = [...offer.values()].filter(({ name }) => subscription.wants(name));
    if (hashVersions(wanted) === version) subscription.adopt(offer);
  }

  #offerOf(type: ResourceType): Offer {
    return this.#offers.get(type) ?? NOTHING_OFFERED;
  }

  #some(claim: (subscription: Subscription) => boolean): boolean {
    return [...this.#subscriptions.values()].some(claim);
  }
}

/**
 * State of the world can't say "removed": listeners and clusters are always sent whole, and what is missing is gone. For the other types the
 * message holds only what changed; a client forgets those when nothing names them.
 */
function worldOf(subscription: Subscription, changed: readonly Offered[], removed: readonly string[]) {
  const world = new Map<string, Offered>();
  for (const [name, held] of subscription.held) if (held.references !== undefined) world.set(name, held);
  for (const resource of changed) world.set(resource.name, resource);
  for (const name of removed) world.delete(name);
  return { version: hashVersions(world.values()), resources: isSentWhole(subscription) ? [...world.values()] : changed };
}

function isSentWhole({ isWildcard, type }: Subscription): boolean {
  return isWildcard || type === "cluster" || type === "listener";
}
