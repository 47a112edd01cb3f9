import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import { status, type ServerDuplexStream } from "@grpc/grpc-js";
import type { Node } from "../gen/envoy/config/core/v3/base_pb.js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import type { ResourceType } from "../translate/envoy/resource.ts";
import type { DeltaRequest, Push } from "../xds/protocol/message.ts";
import { findResourceType, typeUrlOf, type Offered, type Offers } from "../xds/protocol/offer.ts";
import { StreamState } from "../xds/protocol/order.ts";
import { encodePush } from "../xds/protocol/wire.ts";
import { offerCopy, type Cache } from "./cache.ts";
import { encodeRequest, LOCAL_SECRETS, RelaySubscription, vouchedNode } from "./relay-subscription.ts";
import { Upstream, type UpstreamOptions } from "./relay-upstream.ts";
import type { LocalSecrets } from "./sds.ts";

export type EnvoyCall = ServerDuplexStream<Buffer, Buffer>;

export type RelayEvent =
  | { readonly kind: "connected" }
  | { readonly kind: "disconnected"; readonly reason: string }
  /** The last good copy is served. */
  | { readonly kind: "stale" }
  | { readonly kind: "ack"; readonly typeUrl: string }
  | { readonly kind: "nack"; readonly typeUrl: string; readonly message: string };

export interface SessionOptions {
  readonly call: EnvoyCall;
  readonly upstream: Pick<UpstreamOptions, "connect" | "longestWaitMs">;
  readonly random: () => number;
  readonly node: string;
  /** Read at each opening of a stream to the control plane. */
  readonly nodeMetadata: () => JsonObject | undefined;
  readonly secrets: LocalSecrets;
  readonly mayServeStale: () => boolean;
  readonly cache: Cache;
  readonly observe: (event: RelayEvent) => void;
}

/** A message on its way to Envoy: whose it is decides who gets the answer. */
interface Passed {
  readonly from: "control-plane" | "copy" | "agent";
  readonly message: Pick<DeltaDiscoveryResponse, "typeUrl" | "removedResources"> & { readonly resources: readonly Offered[] };
  readonly attempt: number;
}

/**
 * One Envoy's stream. As long as the control plane is there its messages pass as they are, one by one, so that its order is Envoy's order; the
 * agent keeps what Envoy acknowledged. While it is away, what Envoy asks for and doesn't hold comes from that copy, and nothing is removed.
 * When it is back, the stream to it opens with all subscriptions and the versions that Envoy holds, so that only differences come.
 */
export class RelaySession {
  readonly #options: SessionOptions;
  readonly #subscriptions = new Map<string, RelaySubscription>();
  readonly #passed = new Map<string, Passed>();
  readonly #upstream: Upstream;
  readonly #own: StreamState;
  readonly #stopWatching: () => void;
  #node: Node | undefined;
  #copy: StreamState | undefined;
  /** Counts the streams to the control plane; 0 before the first is asked for. */
  #attempt = 0;
  #count = 0;
  #isEnded = false;
  /** The last attempt to reach the control plane failed. */
  #isAway = false;
  #isStale = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const nextNonce = () => `agent-${++this.#count}`;
    this.#own = new StreamState("delta", nextNonce, { removes: false });
    this.#stopWatching = options.secrets.onChange(() => this.#secretsChanged());
    this.#upstream = new Upstream({
      connect: options.upstream.connect,
      longestWaitMs: options.upstream.longestWaitMs,
      random: options.random,
      opening: () => this.#opening(),
      onMessage: (bytes) => this.#fromControlPlane(bytes),
      onUp: () => this.#up(),
      onDown: (reason) => this.#down(reason),
    });
  }

  /** Envoy has said that it is the proxy of this socket. */
  get hasMet(): boolean {
    return this.#node !== undefined;
  }

  get isConnected(): boolean {
    return this.#upstream.isUp;
  }

  /** Envoy got something from the copy since the control plane was last there. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** Envoy has acknowledged clusters and listeners on this stream, or came with some. */
  get isAcknowledged(): boolean {
    return (["cluster", "listener"] as const).every((type) => this.#subscriptions.get(typeUrlOf(type))?.isAcknowledged === true);
  }

  /** @throws on bytes that are no request. */
  receive(bytes: Buffer): void {
    // What is still on its way after the end is not answered: a write would take the status's place.
    if (this.#isEnded) return;
    const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
    if (this.#node === undefined && !this.#meet(request)) return;
    const known = this.#subscriptions.get(request.typeUrl);
    if (known === undefined) this.#subscriptions.set(request.typeUrl, new RelaySubscription(request));
    else known.change(request);
    if (this.#upstream.isUp) this.#dropUnwanted(request);
    const passed = this.#passed.get(request.responseNonce);
    if (passed !== undefined) this.#answered(request, passed);
    if (this.#attempt === 0) this.#connect();
    else this.#forward(request, known === undefined, passed);
    this.#askOwn(request, known === undefined, passed);
    this.#askCopy(request, known === undefined, passed);
  }

  /** The node's metadata has changed: the control plane hears of it as the first thing of a stream; Envoy's own stream goes on. */
  nodeChanged(): void {
    this.#upstream.reopen();
  }

  end(code = status.UNAVAILABLE, details = "the agent stops"): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stopWatching();
    this.#upstream.close();
    const { call } = this.#options;
    if (!call.cancelled && !call.destroyed) call.emit("error", { code, details });
  }

  #meet({ node }: DeltaDiscoveryRequest): boolean {
    if (node?.id !== this.#options.node) {
      this.end(status.PERMISSION_DENIED, "this socket belongs to another proxy");
      return false;
    }
    this.#node = node;
    return true;
  }

  #connect(): void {
    this.#attempt = 1;
    // Envoy sends its first requests together; one turn later all of them are part of the opening.
    setImmediate(() => this.#upstream.open());
  }

  #opening(): readonly Buffer[] {
    this.#attempt += 1;
    let node = this.#node && vouchedNode(this.#node, this.#options.nodeMetadata());
    const messages: Buffer[] = [];
    for (const subscription of this.#subscriptions.values()) {
      const message = subscription.open(node, this.#onItsWay(subscription.typeUrl));
      if (message === undefined) continue;
      messages.push(message);
      node = undefined;
    }
    return messages;
  }

  /** What Envoy is about to hold, or to lose: it has been told, and has not answered. */
  #onItsWay(typeUrl: string): readonly string[] {
    const messages = [...this.#passed.values()].filter(({ message }) => message.typeUrl === typeUrl).map(({ message }) => message);
    return messages.flatMap(({ resources, removedResources }) => [...resources.map(({ name }) => name), ...removedResources]);
  }

  /** Passes a request on; local names and answers to others than this stream's control plane stay here. */
  #forward(request: DeltaDiscoveryRequest, isFirst: boolean, passed: Passed | undefined): void {
    const isAnswer = passed?.from === "control-plane" && passed.attempt === this.#attempt;
    const { typeUrl } = request;
    const subscribe = request.resourceNamesSubscribe.filter((name) => !LOCAL_SECRETS.has(name));
    const unsubscribe = request.resourceNamesUnsubscribe.filter((name) => !LOCAL_SECRETS.has(name));
    const opened = isFirst ? this.#subscriptions.get(typeUrl)?.open(undefined, []) : undefined;
    if (isFirst) {
      if (opened !== undefined) this.#upstream.send(opened);
      return;
    }
    if (!isAnswer && subscribe.length + unsubscribe.length === 0) return;
    const answer = isAnswer
      ? { responseNonce: request.responseNonce, ...(request.errorDetail !== undefined && { errorDetail: request.errorDetail }) }
      : {};
    this.#upstream.send(encodeRequest({ typeUrl, resourceNamesSubscribe: subscribe, resourceNamesUnsubscribe: unsubscribe, ...answer }));
  }

  #fromControlPlane(bytes: Buffer): void {
    const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    const resources = response.resources.map(
      ({ name, version, resource }): Offered => ({ name, version, bytes: resource?.value ?? new Uint8Array(), references: [] }),
    );
    const message = { typeUrl: response.typeUrl, removedResources: response.removedResources, resources };
    this.#passed.set(response.nonce, { from: "control-plane", message, attempt: this.#attempt });
    this.#options.call.write(bytes);
  }

  #answered(request: DeltaDiscoveryRequest, { from, message }: Passed): void {
    this.#passed.delete(request.responseNonce);
    const { typeUrl } = request;
    if (request.errorDetail !== undefined) return this.#options.observe({ kind: "nack", typeUrl, message: request.errorDetail.message });
    const subscription = this.#subscriptions.get(typeUrl);
    subscription?.acknowledge();
    for (const { name, version } of message.resources) subscription?.held.set(name, version);
    for (const name of message.removedResources) subscription?.held.delete(name);
    const type = findResourceType(typeUrl);
    if (from === "control-plane" && type !== undefined) {
      this.#options.cache.apply(type, message.resources, message.removedResources);
      if (type === "listener" && subscription?.isFresh === true) this.#dropOldCopy();
    }
    this.#options.observe({ kind: "ack", typeUrl });
  }

  /** What Envoy no longer names is no part of the copy; asked only while the control plane is there, so that a stale proxy loses nothing. */
  #dropUnwanted({ typeUrl, resourceNamesUnsubscribe }: DeltaDiscoveryRequest): void {
    const type = findResourceType(typeUrl);
    if (type !== undefined && resourceNamesUnsubscribe.length > 0) this.#options.cache.apply(type, [], resourceNamesUnsubscribe);
  }

  /** Envoy began with nothing and has its listeners now: what the copy holds beyond that is of an earlier time. */
  #dropOldCopy(): void {
    for (const type of ["cluster", "listener"] as const) {
      const held = this.#subscriptions.get(typeUrlOf(type))?.held;
      if (held !== undefined) this.#options.cache.retain(type, (name) => held.has(name));
    }
  }

  #up(): void {
    this.#copy = undefined;
    this.#isAway = false;
    this.#isStale = false;
    this.#options.observe({ kind: "connected" });
  }

  #down(reason: string): void {
    if (this.#isEnded) return;
    this.#isAway = true;
    this.#options.observe({ kind: "disconnected", reason });
    this.#serveCopy();
  }

  #serveCopy(): void {
    const { cache, mayServeStale } = this.#options;
    if (this.#copy !== undefined || this.#upstream.isUp || cache.isEmpty || !mayServeStale()) return;
    const held = (type: ResourceType, name: string) => this.#subscriptions.get(typeUrlOf(type))?.held.get(name);
    this.#copy = new StreamState("delta", () => `copy-${++this.#count}`, { removes: false });
    this.#copy.setOffers(offerCopy(cache, held));
    for (const { typeUrl, asked, held: versions } of this.#subscriptions.values()) {
      const type = findResourceType(typeUrl);
      if (type === undefined) continue;
      this.#copy.receive({
        kind: "delta",
        type,
        nonce: "",
        subscribe: asked,
        unsubscribe: [],
        initialVersions: Object.fromEntries(versions),
      });
    }
    this.#write(this.#copy, "copy");
  }

  #askCopy(request: DeltaDiscoveryRequest, isFirst: boolean, passed: Passed | undefined): void {
    const type = findResourceType(request.typeUrl);
    if (this.#copy === undefined || type === undefined) return;
    this.#copy.receive({ ...toRequest(request, type, isFirst), ...(passed?.from !== "copy" && { nonce: "" }) });
    this.#write(this.#copy, "copy");
  }

  #askOwn(request: DeltaDiscoveryRequest, isFirst: boolean, passed: Passed | undefined): void {
    if (request.typeUrl !== typeUrlOf("secret")) return;
    const own = toRequest(request, "secret", isFirst);
    const local = (name: string) => LOCAL_SECRETS.has(name);
    this.#own.receive({
      ...own,
      subscribe: own.subscribe.filter(local),
      unsubscribe: own.unsubscribe.filter(local),
      ...(passed?.from !== "agent" && { nonce: "" }),
    });
    this.#own.setOffers(ownOffers(this.#options.secrets));
    this.#write(this.#own, "agent");
  }

  #secretsChanged(): void {
    this.#own.setOffers(ownOffers(this.#options.secrets));
    this.#write(this.#own, "agent");
    // The first certificate may be what the copy waited for.
    if (this.#isAway) this.#serveCopy();
  }

  #write(state: StreamState, from: "copy" | "agent"): void {
    for (let push: Push | undefined = state.next(); push !== undefined; push = state.next()) {
      const message = { typeUrl: typeUrlOf(push.type), removedResources: [...push.removed], resources: push.resources };
      this.#passed.set(push.nonce, { from, message, attempt: this.#attempt });
      if (from === "copy" && !this.#isStale) {
        this.#isStale = true;
        this.#options.observe({ kind: "stale" });
      }
      this.#options.call.write(encodePush(push));
    }
  }
}

function toRequest(request: DeltaDiscoveryRequest, type: ResourceType, isFirst: boolean): DeltaRequest {
  return {
    kind: "delta",
    type,
    nonce: request.responseNonce,
    subscribe: request.resourceNamesSubscribe,
    unsubscribe: request.resourceNamesUnsubscribe,
    initialVersions: isFirst ? request.initialResourceVersions : {},
    ...(request.errorDetail !== undefined && { error: request.errorDetail.message }),
  };
}

function ownOffers(secrets: LocalSecrets): Offers {
  const offer = new Map<string, Offered>();
  for (const name of LOCAL_SECRETS) {
    const secret = secrets.current(name);
    if (secret !== undefined) offer.set(name, { name, references: [], ...secret });
  }
  return new Map([["secret", offer]]);
}
