import type { ResourceType } from "../../translate/envoy/resource.ts";
import type { Answer, DeltaRequest, Push, Refusal, SotwRequest, XdsRequest } from "./message.ts";
import type { Offer, Offered } from "./offer.ts";
import { findRefused } from "./refusal.ts";

/** What a client holds: a resource that we sent, or one of an earlier stream of which only the version is known. */
export type Held = Offered | { readonly version: string; readonly references: undefined };

/** How an offer differs from what the client holds. */
export interface Difference {
  readonly changed: readonly Offered[];
  /** Held, wanted, and no longer offered. */
  readonly gone: readonly string[];
  /** Asked for by name, never offered, and the client doesn't know yet. */
  readonly absent: readonly string[];
}

const WILDCARD = "*";
const NOTHING: Difference = { changed: [], gone: [], absent: [] };

/**
 * The state of one type on one stream. No sockets and no clock in here: the handler feeds it requests and sends what it makes.
 * Rules: Envoy's xDS protocol ("How the client specifies what resources to return", "ACK and NACK semantics").
 */
export class Subscription {
  readonly type: ResourceType;
  readonly #names = new Set<string>();
  readonly #held = new Map<string, Held>();
  readonly #absent = new Set<string>();
  /** Quarantine: the versions that this client refused, by name. */
  readonly #refused = new Map<string, string>();
  /** Refused together, and no one knows which is bad: sent one at a time. */
  readonly #suspects = new Set<string>();
  /** What the client lost while a message that holds it is on its way: the answer to that message won't count. */
  readonly #lost = new Set<string>();
  /** Came in a message that was refused for another resource's sake: Envoy may have applied them, or not. */
  readonly #perhaps = new Map<string, readonly Offered[]>();
  /** What was lost and may no longer be offered: the client gets it once more until nothing names it. */
  readonly #last = new Map<string, Offered>();
  #wildcard = false;
  #isOpen = false;
  #isAnswered = false;
  #namedOnce = false;
  #inFlight: Push | undefined;
  #known: { readonly offer: Offer; readonly difference: Difference } | undefined;
  #acknowledgedVersion = "";

  constructor(type: ResourceType) {
    this.type = type;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get inFlight(): Push | undefined {
    return this.#inFlight;
  }

  get held(): ReadonlyMap<string, Held> {
    return this.#held;
  }

  /** All that the client may hold, for asking what it may name. */
  *possessions(): Iterable<Held> {
    yield* this.#held.values();
    for (const resources of this.#perhaps.values()) yield* resources;
  }

  get refused(): readonly Refusal[] {
    return [...this.#refused].map(([name, version]) => ({ name, version }));
  }

  /**
   * The client asked for all and has none: it waits for an answer even if there are none, an Envoy for 15 s before it goes on to its listeners.
   */
  get owesAnswer(): boolean {
    return this.#wildcard && !this.#isAnswered;
  }

  get isWildcard(): boolean {
    return this.#wildcard;
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** `version` of the last acknowledged message; empty before. */
  get acknowledgedVersion(): string {
    return this.#acknowledgedVersion;
  }

  receive(request: XdsRequest): Answer {
    this.#known = undefined;
    if (request.kind === "delta") {
      this.#changeNames(request);
      return this.#answer(request);
    }
    // A request that crossed a message on its way says nothing; the client sends another with the new nonce.
    if (request.nonce !== "" && this.#inFlight !== undefined && request.nonce !== this.#inFlight.nonce) return { kind: "stale" };
    const answer = this.#answer(request);
    this.#replaceNames(request);
    return answer;
  }

  /** What the client must still be told for it to hold this offer. */
  compare(offer: Offer): Difference {
    if (!this.#isOpen) return NOTHING;
    if (this.#known?.offer === offer) return this.#known.difference;
    this.#releaseQuarantine(offer);
    const difference = { changed: this.#findChanged(offer), gone: this.#findGone(offer), absent: this.#findAbsent(offer) };
    this.#known = { offer, difference };
    return difference;
  }

  /** Takes note of a message that is about to leave. */
  send(push: Push): void {
    this.#isAnswered = true;
    this.#inFlight = push;
  }

  /** Suspects go alone, the others together. */
  chooseBatch(changed: readonly Offered[]): readonly Offered[] {
    if (this.#suspects.size === 0) return changed;
    const trusted = changed.filter(({ name }) => !this.#suspects.has(name));
    return trusted.length > 0 ? trusted : changed.slice(0, 1);
  }

  /** The client lost these by another message: they are sent again even if they did not change, and even if they are offered no longer. */
  forget(resources: Iterable<Offered>): void {
    this.#known = undefined;
    for (const resource of resources) {
      if (!this.wants(resource.name)) continue;
      this.#lose(resource.name);
      if (!this.#last.has(resource.name)) this.#last.set(resource.name, resource);
    }
  }

  /** The client drops these by itself, or never had them, and needs no message. */
  drop(names: Iterable<string>): void {
    this.#known = undefined;
    for (const name of names) {
      this.#held.delete(name);
      this.#perhaps.delete(name);
      if (this.#names.has(name)) this.#absent.add(name);
    }
  }

  /** An offer that the client named as its own when it opened the stream (state of the world: it tells one version for all). */
  adopt(offer: Offer): void {
    this.#isAnswered = true;
    for (const resource of this.#wanted(offer)) this.#held.set(resource.name, resource);
    this.#known = undefined;
  }

  wants(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  #changeNames(request: DeltaRequest): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#wildcard = request.subscribe.length === 0 && this.#mayBeLegacyWildcard;
      for (const name of request.subscribe) this.#subscribe(name);
      for (const [name, version] of Object.entries(request.initialVersions)) {
        if (this.wants(name)) this.#held.set(name, { version, references: undefined });
      }
      this.#isAnswered = this.#held.size > 0;
      return;
    }
    for (const name of request.unsubscribe) this.#unsubscribe(name);
    for (const name of request.subscribe) {
      this.#subscribe(name);
      // Asking again means that the client has lost it.
      this.#lose(name);
    }
  }

  #lose(name: string): void {
    const held = this.#inFlight?.resources.find((resource) => resource.name === name) ?? this.#held.get(name);
    if (held !== undefined && held.references !== undefined) this.#last.set(name, held);
    this.#held.delete(name);
    this.#absent.delete(name);
    if (this.#inFlight !== undefined) this.#lost.add(name);
  }

  /** Only for listeners and clusters does a first request without names mean all of them. */
  get #mayBeLegacyWildcard(): boolean {
    return this.type === "listener" || this.type === "cluster";
  }

  #subscribe(name: string): void {
    if (name === WILDCARD) this.#wildcard = true;
    else this.#names.add(name);
  }

  #unsubscribe(name: string): void {
    if (name === WILDCARD) {
      this.#wildcard = false;
      for (const held of this.#held.keys()) if (!this.#names.has(held)) this.#held.delete(held);
      for (const held of this.#perhaps.keys()) if (!this.#names.has(held)) this.#perhaps.delete(held);
      return;
    }
    this.#names.delete(name);
    this.#held.delete(name);
    this.#perhaps.delete(name);
    this.#absent.delete(name);
    this.#suspects.delete(name);
    this.#last.delete(name);
  }

  #replaceNames({ names, version }: SotwRequest): void {
    if (!this.#isOpen && version !== "") this.#acknowledgedVersion = version;
    this.#isOpen = true;
    const asked = new Set(names);
    if (asked.size > 0) this.#namedOnce = true;
    this.#wildcard = asked.delete(WILDCARD) || (asked.size === 0 && !this.#namedOnce && this.#mayBeLegacyWildcard);
    for (const name of this.#names) if (!asked.has(name)) this.#names.delete(name);
    for (const name of asked) this.#names.add(name);
    for (const name of this.#held.keys()) if (!this.wants(name)) this.#held.delete(name);
    for (const name of this.#perhaps.keys()) if (!this.wants(name)) this.#perhaps.delete(name);
  }

  #answer(request: XdsRequest): Answer {
    if (request.nonce === "") return { kind: "subscribed" };
    const push = this.#inFlight;
    if (push === undefined && request.error === undefined) return { kind: "subscribed" };
    if (push?.nonce !== request.nonce) return { kind: "stale" };
    this.#inFlight = undefined;
    if (request.error === undefined) this.#accept(push);
    const answer: Answer = request.error === undefined ? { kind: "ack", version: push.version } : this.#refuse(push, request.error);
    this.#lost.clear();
    return answer;
  }

  #accept(push: Push): void {
    for (const resource of push.resources) {
      this.#suspects.delete(resource.name);
      if (this.#lost.has(resource.name)) continue;
      if (this.wants(resource.name)) this.#held.set(resource.name, resource);
      this.#last.delete(resource.name);
      this.#perhaps.delete(resource.name);
      this.#absent.delete(resource.name);
    }
    this.#dropRemoved(push);
    this.#acknowledgedVersion = push.version;
  }

  #refuse(push: Push, message: string): Answer {
    const fresh = push.resources.filter((resource) => this.#held.get(resource.name) !== resource);
    const refused = findRefused(message, fresh).map(({ name, version }) => ({ name, version }));
    for (const resource of fresh) this.#doubt(resource, refused);
    for (const { name, version } of refused) {
      this.#refused.set(name, version);
      this.#suspects.delete(name);
    }
    if (refused.length === 0) for (const { name } of fresh) this.#suspects.add(name);
    // A client can't keep what is gone; sending the removal again would be a loop.
    if (fresh.length === 0) this.#dropRemoved(push);
    return { kind: "nack", version: push.version, refused, message };
  }

  #doubt(resource: Offered, refused: readonly Refusal[]): void {
    const earlier = (this.#perhaps.get(resource.name) ?? []).filter((one) => one !== resource);
    const isBlamed = refused.some(({ name }) => name === resource.name);
    const perhaps = isBlamed || !this.wants(resource.name) ? earlier : [...earlier, resource];
    if (perhaps.length > 0) this.#perhaps.set(resource.name, perhaps);
    else this.#perhaps.delete(resource.name);
  }

  #dropRemoved(push: Push): void {
    this.drop(push.removed.filter((name) => !this.#lost.has(name)));
    if (push.kind === "delta" || !this.#wildcard) return;
    const kept = new Set(push.resources.map(({ name }) => name));
    for (const name of this.#held.keys()) if (!kept.has(name)) this.#held.delete(name);
  }

  #releaseQuarantine(offer: Offer): void {
    for (const [name, version] of this.#refused) if (offer.get(name)?.version !== version) this.#refused.delete(name);
    for (const name of this.#suspects) if (!offer.has(name)) this.#suspects.delete(name);
  }

  #findChanged(offer: Offer): readonly Offered[] {
    const changed: Offered[] = [];
    for (const resource of this.#wanted(offer)) {
      const held = this.#held.get(resource.name);
      if (held?.version === resource.version && !this.#perhaps.has(resource.name)) {
        // Now that the version is known, its references are too.
        if (held.references === undefined) this.#held.set(resource.name, resource);
      } else if (this.#refused.get(resource.name) !== resource.version) changed.push(resource);
    }
    return changed;
  }

  *#wanted(offer: Offer): Iterable<Offered> {
    if (this.#wildcard) yield* offer.values();
    else
      for (const name of this.#names) {
        const resource = offer.get(name) ?? this.#last.get(name);
        if (resource !== undefined) yield resource;
      }
  }

  #findGone(offer: Offer): readonly string[] {
    const gone = [...this.#held.keys()].filter((name) => !offer.has(name));
    for (const name of this.#perhaps.keys()) if (!offer.has(name) && !this.#held.has(name)) gone.push(name);
    return gone;
  }

  #findAbsent(offer: Offer): readonly string[] {
    return [...this.#names].filter(
      (name) => !offer.has(name) && !this.#held.has(name) && !this.#perhaps.has(name) && !this.#absent.has(name) && !this.#last.has(name),
    );
  }
}
