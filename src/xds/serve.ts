import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { Metadata, status, type Server } from "@grpc/grpc-js";
import type { Proxy } from "../model/proxy.ts";
import type { Snapshot } from "../translate/envoy/resource.ts";
import type { ProxyStatus, XdsEvent } from "./event.ts";
import { failCall, type DiscoveryCall } from "./grpc-call.ts";
import { DEFAULT_LIMITS, REAL_CLOCK, type Clock, type XdsLimits } from "./limits.ts";
import { NODE_FIELD, readNode, toProxy } from "./node.ts";
import { identifyPeer, mayBe, type Peer, type Transport } from "./peer.ts";
import type { XdsRequest } from "./protocol/message.ts";
import { ADS_SERVICE } from "./protocol/path.ts";
import { ProxyStream, type ProxyStreamOptions } from "./proxy-stream.ts";
import { PushQueue } from "./push-queue.ts";

export interface XdsOptions {
  /** The newest configuration of a proxy; the same object as long as nothing changed. */
  readonly snapshotFor: (proxy: Proxy) => Snapshot;
  /**
   * The proxy that a peer is, of what its node claims; a string says why it is none. Asked after the node is read and before anything else
   * is, on top of what a certificate says, and again at each `push`: a stream whose answer changes ends.
   */
  readonly admit: (peer: Peer, claimed: Proxy) => Proxy | string;
  readonly observe: (event: XdsEvent) => void;
  readonly limits?: Partial<XdsLimits>;
  readonly clock?: Clock;
}

export interface XdsService {
  /** Serves ADS on one more server; all of them share the streams' limits, `push` and `status`. */
  register(server: Server, transport: Transport): void;
  /** The mesh changed: every proxy is looked at again. */
  push(): void;
  status(): readonly ProxyStatus[];
  /** Ends all streams; the clients come back by themselves. */
  close(): void;
}

/** Delta and state-of-the-world ADS for any number of servers. */
export function createXdsService(options: XdsOptions): XdsService {
  return new Ads(options);
}

/** One server, one service. @see createXdsService where there are several. */
export function registerAds(server: Server, options: XdsOptions & { readonly transport: Transport }): Omit<XdsService, "register"> {
  const service = createXdsService(options);
  service.register(server, options.transport);
  return service;
}

const CHECK_PERIOD_MS = 5_000;

class Ads implements XdsService {
  readonly #options: XdsOptions;
  readonly #limits: XdsLimits;
  readonly #clock: Clock;
  readonly #queue: PushQueue<ProxyStream>;
  readonly #streams = new Set<ProxyStream>();
  /** Calls whose node is not known yet, with the time they came. */
  readonly #nameless = new Map<DiscoveryCall, number>();
  readonly #stopChecks: () => void;
  #isClosed = false;

  constructor(options: XdsOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#clock = options.clock ?? REAL_CLOCK;
    this.#queue = new PushQueue((stream) => stream.refresh(), this.#clock);
    this.#stopChecks = this.#clock.every(CHECK_PERIOD_MS, () => this.#check());
  }

  register(server: Server, transport: Transport): void {
    server.addService(ADS_SERVICE, {
      DeltaAggregatedResources: (call: DiscoveryCall) => this.#accept(call, "delta", transport),
      StreamAggregatedResources: (call: DiscoveryCall) => this.#accept(call, "sotw", transport),
    });
  }

  push(): void {
    for (const stream of this.#streams) if (this.#isStillAdmitted(stream)) this.#queue.add(stream);
  }

  status(): readonly ProxyStatus[] {
    return [...this.#streams].map((stream) => stream.status(this.#queue.has(stream)));
  }

  close(): void {
    this.#isClosed = true;
    this.#stopChecks();
    for (const call of this.#nameless.keys()) failCall(call, status.UNAVAILABLE, "the control plane stops");
    for (const stream of this.#streams) stream.end(status.UNAVAILABLE, "the control plane stops");
  }

  #accept(call: DiscoveryCall, kind: XdsRequest["kind"], transport: Transport): void {
    call.on("error", () => undefined);
    if (this.#isClosed) return failCall(call, status.UNAVAILABLE, "the control plane stops");
    if (this.#streams.size + this.#nameless.size >= this.#limits.maxStreams)
      return this.#reject(call, status.RESOURCE_EXHAUSTED, "too many streams");
    const peer = identifyPeer(call, transport);
    if (typeof peer === "string") return this.#reject(call, status.UNAUTHENTICATED, peer);
    this.#nameless.set(call, this.#clock.now());
    let stream: ProxyStream | undefined;
    call.on("data", (bytes: Buffer) => {
      stream ??= this.#open(call, kind, peer, bytes);
      stream?.receive(bytes);
    });
    call.on("end", () => call.end());
    for (const event of ["cancelled", "close"]) call.on(event, () => this.#forget(call, stream));
  }

  #open(call: DiscoveryCall, kind: XdsRequest["kind"], peer: Peer, bytes: Buffer): ProxyStream | undefined {
    // A call that was turned away may still have messages on their way.
    if (!this.#nameless.delete(call)) return undefined;
    const node = readNode(bytes, NODE_FIELD[kind], this.#limits.maxNodeBytes);
    const proxy = "reason" in node ? node : toProxy(node);
    if ("reason" in proxy) return this.#reject(call, status.INVALID_ARGUMENT, proxy.reason);
    const admitted = this.#admit(peer, proxy);
    if (typeof admitted === "string") return this.#reject(call, status.PERMISSION_DENIED, admitted);
    if (this.#countOf(peer) >= this.#limits.maxStreamsPerIdentity)
      return this.#reject(call, status.RESOURCE_EXHAUSTED, "too many streams of this identity");
    // The client learns at once that it is welcome, even if there will be nothing to send.
    call.sendMetadata(new Metadata());
    const stream = this.#stream({ call, kind, peer, claimed: proxy, proxy: admitted });
    this.#streams.add(stream);
    this.#options.observe({ kind: "connected", proxy: admitted, peer });
    // State of the world compares versions at the first request; delta can wait for its turn.
    if (kind === "sotw") stream.refresh();
    else this.#queue.add(stream);
    return stream;
  }

  #stream(opened: Pick<ProxyStreamOptions, "call" | "kind" | "peer" | "claimed" | "proxy">): ProxyStream {
    const { snapshotFor, observe } = this.#options;
    const prefix = randomBytes(6).toString("hex");
    let count = 0;
    const nextNonce = () => `${prefix}-${++count}`;
    return new ProxyStream({ ...opened, nextNonce, snapshotFor, observe, limits: this.#limits, clock: this.#clock });
  }

  #admit(peer: Peer, claimed: Proxy): Proxy | string {
    const allowed = mayBe(peer, claimed);
    return allowed === true ? this.#options.admit(peer, claimed) : allowed;
  }

  /** Ends a stream that is not that proxy's any more; one that is another now, by its labels, comes back as that at once. */
  #isStillAdmitted(stream: ProxyStream): boolean {
    const admitted = this.#admit(stream.peer, stream.claimed);
    if (typeof admitted === "string") stream.end(status.PERMISSION_DENIED, admitted);
    else if (isDeepStrictEqual(admitted, stream.proxy)) return true;
    else stream.end(status.UNAVAILABLE, "the workload is declared anew");
    return false;
  }

  #countOf(peer: Peer): number {
    const { identity, transport } = peer;
    if (identity === undefined || transport !== "mtls") return 0;
    let count = 0;
    for (const { peer: other } of this.#streams) {
      if (other.identity?.namespace === identity.namespace && other.identity.serviceAccount === identity.serviceAccount) count += 1;
    }
    return count;
  }

  #reject(call: DiscoveryCall, code: status, reason: string): undefined {
    this.#nameless.delete(call);
    this.#options.observe({ kind: "rejected", address: call.getPeer(), reason });
    failCall(call, code, reason);
  }

  #forget(call: DiscoveryCall, stream: ProxyStream | undefined): void {
    this.#nameless.delete(call);
    if (stream === undefined || !this.#streams.delete(stream)) return;
    this.#queue.delete(stream);
    this.#options.observe({ kind: "disconnected", proxy: stream.proxy, reason: "the stream ended" });
  }

  #check(): void {
    for (const stream of this.#streams) {
      if (!stream.dropIfHung() || !this.#streams.delete(stream)) continue;
      this.#queue.delete(stream);
      this.#options.observe({ kind: "disconnected", proxy: stream.proxy, reason: "it left a message unanswered" });
    }
    for (const [call, since] of this.#nameless) {
      if (this.#clock.now() - since >= this.#limits.firstRequestMs) this.#reject(call, status.DEADLINE_EXCEEDED, "no first request came");
    }
  }
}
