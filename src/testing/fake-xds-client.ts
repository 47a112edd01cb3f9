import { create, fromBinary, toBinary, type JsonObject } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ChannelCredentials, type ClientDuplexStream } from "@grpc/grpc-js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type DeltaDiscoveryResponse,
  type DiscoveryResponse,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import type { ResourceType } from "../translate/envoy/resource.ts";
import { typeUrlOf } from "../xds/protocol/offer.ts";
import { DELTA_PATH, SOTW_PATH } from "../xds/protocol/path.ts";
import { until } from "./until.ts";

export interface FakeXdsClientOptions {
  /** `unix:/path` or `host:port`. */
  readonly address: string;
  readonly nodeId?: string;
  readonly nodeMetadata?: JsonObject;
  readonly credentials?: ChannelCredentials;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Answers every message with an ACK as it comes. */
  readonly acknowledges?: boolean;
}

export const FAKE_NODE_ID = "sidecar~10.244.0.7~users-1.shop~shop.svc.cluster.local";

const same = (bytes: Buffer): Buffer => bytes;

/** A client that says what the test tells it to, in bytes of its own where need be. */
export class FakeXdsClient {
  readonly deltas: DeltaDiscoveryResponse[] = [];
  readonly worlds: DiscoveryResponse[] = [];
  readonly #client: Client;
  readonly #options: FakeXdsClientOptions;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #kind: "delta" | "sotw";
  #isNamed = false;
  status: { readonly code: number; readonly details: string } | undefined;
  bytesReceived = 0;
  messagesReceived = 0;

  constructor(kind: "delta" | "sotw", options: FakeXdsClientOptions) {
    this.#kind = kind;
    this.#options = options;
    const authority = options.address.startsWith("unix:") ? { "grpc.default_authority": "localhost" } : {};
    this.#client = new Client(options.address, options.credentials ?? credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": -1,
      ...authority,
    });
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
    this.#call = this.#client.makeBidiStreamRequest(kind === "delta" ? DELTA_PATH : SOTW_PATH, same, same, metadata);
    this.#call.on("data", (bytes: Buffer) => this.#receive(bytes));
    this.#call.on("error", () => undefined);
    this.#call.on("status", ({ code, details }) => (this.status = { code, details }));
  }

  /** First request of a type, or a change of names. */
  subscribe(
    type: ResourceType,
    names: readonly string[] = [],
    more: { readonly initialResourceVersions?: Record<string, string>; readonly unsubscribe?: readonly string[] } = {},
  ): void {
    const { initialResourceVersions = {}, unsubscribe = [] } = more;
    this.#delta({
      typeUrl: typeUrlOf(type),
      resourceNamesSubscribe: [...names],
      resourceNamesUnsubscribe: [...unsubscribe],
      initialResourceVersions,
    });
  }

  ask(
    type: ResourceType,
    names: readonly string[] = [],
    more: { readonly versionInfo?: string; readonly responseNonce?: string } = {},
  ): void {
    this.#write(
      toBinary(
        DiscoveryRequestSchema,
        create(DiscoveryRequestSchema, { ...this.#node(), typeUrl: typeUrlOf(type), resourceNames: [...names], ...more }),
      ),
    );
  }

  acknowledge({ typeUrl, nonce }: DeltaDiscoveryResponse): void {
    this.#delta({ typeUrl, responseNonce: nonce });
  }

  refuse({ typeUrl, nonce }: DeltaDiscoveryResponse, message: string): void {
    this.#delta({ typeUrl, responseNonce: nonce, errorDetail: { code: 3, message } });
  }

  raw(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  /** Reads nothing more: the window fills. */
  pause(): void {
    this.#call.pause();
  }

  /** Waits for the next message of a type beyond the first `skip` of it. */
  async next(type: ResourceType, skip = 0, timeoutMs?: number): Promise<DeltaDiscoveryResponse> {
    return await until(`${type} message ${skip}`, () => this.deltas.filter(({ typeUrl }) => typeUrl === typeUrlOf(type))[skip], timeoutMs);
  }

  async ended(): Promise<{ readonly code: number; readonly details: string }> {
    return await until("the stream ended", () => this.status);
  }

  /** Says that nothing more comes, and waits for the server's end. */
  async finish(): Promise<{ readonly code: number; readonly details: string }> {
    this.#call.end();
    return await this.ended();
  }

  close(): void {
    this.#call.cancel();
    this.#client.close();
  }

  #delta(request: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1] & object): void {
    this.#write(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { ...this.#node(), ...request })));
  }

  #node(): object {
    if (this.#isNamed) return {};
    this.#isNamed = true;
    const { nodeId = FAKE_NODE_ID, nodeMetadata = {} } = this.#options;
    return { node: { id: nodeId, metadata: nodeMetadata } };
  }

  #write(bytes: Uint8Array): void {
    this.#call.write(Buffer.from(bytes));
  }

  #receive(bytes: Buffer): void {
    this.bytesReceived += bytes.length;
    this.messagesReceived += 1;
    if (this.#kind === "sotw") {
      this.worlds.push(fromBinary(DiscoveryResponseSchema, bytes));
      return;
    }
    const message = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    this.deltas.push(message);
    if (this.#options.acknowledges === true) this.acknowledge(message);
  }
}
