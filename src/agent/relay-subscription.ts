import { create, toBinary, type JsonObject } from "@bufbuild/protobuf";
import { NodeSchema, type Node } from "../gen/envoy/config/core/v3/base_pb.js";
import { DeltaDiscoveryRequestSchema, type DeltaDiscoveryRequest } from "../gen/envoy/service/discovery/v3/discovery_pb.js";

/** Names that the agent answers itself: the workload's own certificate and the roots. */
export const LOCAL_SECRETS: ReadonlySet<string> = new Set(["default", "ROOTCA"]);

/** What Envoy asks of one type on its stream, and what it holds: enough to open a stream to the control plane again at any time. */
export class RelaySubscription {
  readonly typeUrl: string;
  readonly names = new Set<string>();
  /** Name to version, as Envoy acknowledged them or said itself when it came. */
  readonly held = new Map<string, string>();
  /** Envoy came with nothing of this type: what it gets is all there is. */
  readonly isFresh: boolean;
  #wildcard: boolean;
  #isAcknowledged = false;

  constructor(first: DeltaDiscoveryRequest) {
    this.typeUrl = first.typeUrl;
    this.#wildcard = first.resourceNamesSubscribe.length === 0;
    for (const [name, version] of Object.entries(first.initialResourceVersions)) this.held.set(name, version);
    this.isFresh = this.held.size === 0;
    this.#isAcknowledged = !this.isFresh;
    this.change(first);
  }

  /** Envoy has accepted a message of this type, or came with some. */
  get isAcknowledged(): boolean {
    return this.#isAcknowledged;
  }

  acknowledge(): void {
    this.#isAcknowledged = true;
  }

  change({ resourceNamesSubscribe, resourceNamesUnsubscribe }: DeltaDiscoveryRequest): void {
    for (const name of resourceNamesUnsubscribe) {
      if (name === "*") this.#wildcard = false;
      this.names.delete(name);
      this.held.delete(name);
    }
    for (const name of resourceNamesSubscribe) {
      if (name === "*") this.#wildcard = true;
      else this.names.add(name);
    }
  }

  /** Names for the first request of a new stream. An empty list means all of them. */
  get asked(): readonly string[] {
    if (!this.#wildcard) return [...this.names];
    return this.names.size === 0 ? [] : ["*", ...this.names];
  }

  /**
   * The first request of this type on a new stream; undefined where there is nothing to ask. Envoy may come to hold what is on its way to it, or
   * to lose it: said to be held in no version that there is, it is sent again, or taken away.
   */
  open(node: Node | undefined, onItsWay: readonly string[]): Buffer | undefined {
    const names = this.asked.filter((name) => !LOCAL_SECRETS.has(name));
    if (names.length === 0 && !this.#wildcard) return undefined;
    const perhaps = onItsWay.map((name) => [name, ""] as const);
    const held = [...this.held, ...perhaps].filter(([name]) => !LOCAL_SECRETS.has(name));
    return encodeRequest({
      ...(node !== undefined && { node }),
      typeUrl: this.typeUrl,
      resourceNamesSubscribe: names,
      initialResourceVersions: Object.fromEntries(held),
    });
  }
}

export function encodeRequest(request: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]): Buffer {
  return Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request)));
}

/** Envoy's node as the agent knows it: what it may see depends on its metadata, and anyone who reaches the socket could write some. */
export function vouchedNode(node: Node, metadata: JsonObject | undefined): Node {
  return metadata === undefined ? node : create(NodeSchema, { ...node, metadata });
}
