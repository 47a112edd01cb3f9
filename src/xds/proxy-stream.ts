import { status } from "@grpc/grpc-js";
import type { Proxy } from "../model/proxy.ts";
import type { ResourceType, Snapshot } from "../translate/envoy/resource.ts";
import type { ProxyStatus, TypeStatus, XdsEvent } from "./event.ts";
import { abortCall, failCall, type DiscoveryCall, hasFailed } from "./grpc-call.ts";
import { RateLimit, type Clock, type XdsLimits } from "./limits.ts";
import type { Peer } from "./peer.ts";
import type { Answer, XdsRequest } from "./protocol/message.ts";
import type { Offers } from "./protocol/offer.ts";
import { StreamState } from "./protocol/order.ts";
import { findDangling } from "./protocol/reference.ts";
import type { Subscription } from "./protocol/subscription.ts";
import { encodePush } from "./protocol/wire.ts";
import { decodeRequest } from "./request.ts";

export interface ProxyStreamOptions {
  readonly call: DiscoveryCall;
  readonly kind: XdsRequest["kind"];
  /** What the node says that it is. */
  readonly claimed: Proxy;
  readonly proxy: Proxy;
  readonly peer: Peer;
  readonly nextNonce: () => string;
  readonly snapshotFor: (proxy: Proxy) => Snapshot;
  readonly observe: (event: XdsEvent) => void;
  readonly limits: XdsLimits;
  readonly clock: Clock;
}

/** One authorised stream: feeds requests to the protocol's state and writes what it makes. */
export class ProxyStream {
  readonly claimed: Proxy;
  readonly proxy: Proxy;
  readonly peer: Peer;
  readonly #options: ProxyStreamOptions;
  readonly #state: StreamState;
  readonly #rate: RateLimit;
  readonly #connectedAtMs: number;
  readonly #sentAtMs = new Map<ResourceType, number>();
  readonly #lastErrors = new Map<ResourceType, string>();
  #snapshot: Snapshot | undefined;
  #isHeldBack = false;

  constructor(options: ProxyStreamOptions) {
    this.claimed = options.claimed;
    this.proxy = options.proxy;
    this.peer = options.peer;
    this.#options = options;
    this.#state = new StreamState(options.kind, options.nextNonce);
    this.#rate = new RateLimit(options.limits, options.clock);
    this.#connectedAtMs = options.clock.now();
  }

  /** Takes the newest snapshot, if there is a newer one, and sends what it changes. */
  refresh(): void {
    const { snapshotFor, observe } = this.#options;
    try {
      const snapshot = snapshotFor(this.proxy);
      if (snapshot !== this.#snapshot) this.#take(snapshot);
    } catch (error) {
      observe({ kind: "failed", proxy: this.proxy, error });
    }
    this.#send();
  }

  receive(bytes: Buffer): void {
    const { call, kind, limits } = this.#options;
    if (hasFailed(call)) return;
    if (!this.#rate.take()) return failCall(call, status.RESOURCE_EXHAUSTED, "too many requests");
    let request: XdsRequest | undefined;
    try {
      request = decodeRequest(kind, bytes);
    } catch {
      return failCall(call, status.INVALID_ARGUMENT, "the request is not a discovery request");
    }
    if (request === undefined) return;
    if (this.#countNames(request) > limits.maxNames)
      return failCall(call, status.RESOURCE_EXHAUSTED, `more than ${limits.maxNames} names of one type`);
    this.#report(request, this.#state.receive(request));
    this.#send();
  }

  /** Drops a client that leaves a message unanswered; true where it did. */
  dropIfHung(): boolean {
    const { clock, limits, call } = this.#options;
    const oldest = Math.min(...this.#sentAtMs.values());
    if (clock.now() - oldest < limits.hungAfterMs) return false;
    abortCall(call, "the client does not answer");
    return true;
  }

  end(code: status, reason: string): void {
    failCall(this.#options.call, code, reason);
  }

  /** `isQueued`: a push waits for this stream's turn, so that it can't be said to hold the newest. */
  status(isQueued: boolean): ProxyStatus {
    const types = [...this.#state.subscriptions()].map((subscription) => this.#statusOf(subscription, isQueued));
    return { proxy: this.proxy, peer: this.peer, connectedAtMs: this.#connectedAtMs, types, isHeldBack: this.#isHeldBack };
  }

  #take(snapshot: Snapshot): void {
    const dangling = findDangling(snapshot);
    this.#snapshot = snapshot;
    this.#isHeldBack = dangling.length > 0;
    if (dangling.length > 0) return this.#options.observe({ kind: "dangling", proxy: this.proxy, dangling });
    this.#state.setOffers(this.peer.transport === "insecure" ? withoutSecrets(snapshot) : snapshot);
  }

  #send(): void {
    const { call, clock } = this.#options;
    if (hasFailed(call) || this.#state.offers.size === 0) return;
    for (let push = this.#state.next(); push !== undefined; push = this.#state.next()) {
      this.#sentAtMs.set(push.type, clock.now());
      call.write(encodePush(push));
    }
  }

  #report({ type }: XdsRequest, answer: Answer): void {
    const { observe } = this.#options;
    if (answer.kind === "subscribed" || answer.kind === "stale") return;
    this.#sentAtMs.delete(type);
    if (answer.kind === "ack") {
      this.#lastErrors.delete(type);
      observe({ kind: "ack", proxy: this.proxy, type, version: answer.version });
    } else {
      this.#lastErrors.set(type, answer.message);
      observe({ kind: "nack", proxy: this.proxy, type, version: answer.version, resources: answer.refused, message: answer.message });
    }
  }

  #countNames(request: XdsRequest): number {
    const known = [...this.#state.subscriptions()].find(({ type }) => type === request.type)?.names.size ?? 0;
    return request.kind === "sotw" ? request.names.length : known + request.subscribe.length;
  }

  #statusOf(subscription: Subscription, isQueued: boolean): TypeStatus {
    const { type, isWildcard, names, held, acknowledgedVersion: acknowledged, refused, inFlight } = subscription;
    const { changed, gone } = subscription.compare(this.#state.offers.get(type) ?? NONE);
    const isSynced = !isQueued && inFlight === undefined && changed.length + gone.length + refused.length === 0 && !this.#isHeldBack;
    return {
      type,
      subscribed: isWildcard ? "*" : names.size,
      held: held.size,
      acknowledged,
      refused,
      lastError: this.#lastErrors.get(type) ?? "",
      isSynced,
    };
  }
}

const NONE = new Map();
const stripped = new WeakMap<Snapshot, Offers>();

/** A user's key goes over mTLS or a private socket only. */
function withoutSecrets(snapshot: Snapshot): Offers {
  let offers = stripped.get(snapshot);
  if (offers === undefined) {
    offers = new Map([...snapshot].map(([type, offer]) => [type, type === "secret" ? NONE : offer]));
    stripped.set(snapshot, offers);
  }
  return offers;
}
