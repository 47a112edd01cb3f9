import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { type EnvoyResource, TYPE_URLS } from "../translate/envoy/resource.ts";

export type Answer = "ack" | { readonly error: string };

export interface AdsSubscription {
  /** Resolves when an Envoy has asked for clusters and listeners. */
  readonly connected: Promise<void>;
  /** Removes what Envoy has and offers these instead: clusters and listeners at once, the others as they are asked for. */
  replace(resources: readonly EnvoyResource[]): Promise<void>;
  /** Envoy's answer to the resource, once it was sent. */
  answerTo(typeUrl: string, name: string): Promise<Answer>;
  close(): void;
}

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const WILDCARDS: readonly string[] = [TYPE_URLS.cluster, TYPE_URLS.listener];

const SERVICE: grpc.ServiceDefinition = {
  deltaAggregatedResources: {
    path: METHOD,
    requestStream: true,
    responseStream: true,
    requestSerialize: (value: DeltaDiscoveryRequest) => Buffer.from(toBinary(DeltaDiscoveryRequestSchema, value)),
    requestDeserialize: (bytes: Buffer) => fromBinary(DeltaDiscoveryRequestSchema, bytes),
    responseSerialize: (value: DeltaDiscoveryResponse) => Buffer.from(toBinary(DeltaDiscoveryResponseSchema, value)),
    responseDeserialize: (bytes: Buffer) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
  },
};

type Stream = grpc.ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** A delta ADS server for one Envoy that sends each resource in a response of its own, so that an answer speaks of one resource. */
export async function startOneByOneAds(socket: string): Promise<AdsSubscription> {
  const server = new grpc.Server();
  const ads = new OneByOneAds();
  server.addService(SERVICE, { deltaAggregatedResources: (stream: Stream) => ads.open(stream) });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
  });
  return {
    connected: ads.connected.promise,
    replace: (resources) => ads.replace(resources),
    answerTo: (typeUrl, name) => ads.answerTo(typeUrl, name),
    close: () => server.forceShutdown(),
  };
}

class OneByOneAds {
  readonly connected = Promise.withResolvers<void>();
  #stream: Stream | undefined;
  #nonce = 0;
  #offered = new Map<string, EnvoyResource>();
  readonly #opened = new Set<string>();
  readonly #subscribed = new Set<string>();
  readonly #waiting = new Map<string, PromiseWithResolvers<Answer>>();
  #answers = new Map<string, PromiseWithResolvers<Answer>>();

  open(stream: Stream): void {
    this.#stream = stream;
    stream.on("data", (request: DeltaDiscoveryRequest) => this.#receive(request));
    stream.on("error", () => {});
    stream.on("end", () => stream.end());
  }

  async replace(resources: readonly EnvoyResource[]): Promise<void> {
    const before = [...this.#offered.values()];
    this.#offered = new Map(resources.map((resource) => [keyOf(TYPE_URLS[resource.type], resource.name), resource]));
    this.#answers = new Map();
    for (const typeUrl of [TYPE_URLS.listener, TYPE_URLS.cluster]) {
      const gone = before.filter(({ type }) => TYPE_URLS[type] === typeUrl).map(({ name }) => name);
      if (gone.length > 0) await this.#send(typeUrl, { removed: gone }).promise;
    }
    for (const [key, resource] of this.#offered) {
      const typeUrl = TYPE_URLS[resource.type];
      if (WILDCARDS.includes(typeUrl) || this.#subscribed.has(key)) this.#offer(typeUrl, resource);
    }
  }

  answerTo(typeUrl: string, name: string): Promise<Answer> {
    return this.#answerOf(keyOf(typeUrl, name)).promise;
  }

  #receive(request: DeltaDiscoveryRequest): void {
    const { typeUrl, responseNonce, errorDetail } = request;
    if (responseNonce !== "") {
      this.#waiting.get(responseNonce)?.resolve(errorDetail === undefined ? "ack" : { error: errorDetail.message });
      this.#waiting.delete(responseNonce);
    }
    if (WILDCARDS.includes(typeUrl) && !this.#opened.has(typeUrl)) this.#openWildcard(typeUrl);
    for (const name of request.resourceNamesUnsubscribe) this.#subscribed.delete(keyOf(typeUrl, name));
    for (const name of request.resourceNamesSubscribe) {
      const key = keyOf(typeUrl, name);
      this.#subscribed.add(key);
      const resource = this.#offered.get(key);
      if (resource !== undefined && !WILDCARDS.includes(typeUrl)) this.#offer(typeUrl, resource);
    }
  }

  /** Envoy asks for listeners only after a first answer about clusters, be it empty. */
  #openWildcard(typeUrl: string): void {
    this.#opened.add(typeUrl);
    void this.#send(typeUrl, {}).promise.then(() => {
      if (typeUrl === TYPE_URLS.listener) this.connected.resolve();
    });
  }

  #offer(typeUrl: string, resource: EnvoyResource): void {
    const sent = this.#send(typeUrl, { resource });
    const answer = this.#answerOf(keyOf(typeUrl, resource.name));
    void sent.promise.then((value) => answer.resolve(value));
  }

  #send(typeUrl: string, content: { resource?: EnvoyResource; removed?: readonly string[] }): PromiseWithResolvers<Answer> {
    const nonce = String(++this.#nonce);
    const { resource, removed = [] } = content;
    const resources =
      resource === undefined
        ? []
        : [{ name: resource.name, version: `${resource.version}-${nonce}`, resource: { typeUrl, value: resource.bytes } }];
    const answer = Promise.withResolvers<Answer>();
    this.#waiting.set(nonce, answer);
    this.#stream?.write(
      create(DeltaDiscoveryResponseSchema, { typeUrl, nonce, resources, removedResources: [...removed], systemVersionInfo: nonce }),
    );
    return answer;
  }

  #answerOf(key: string): PromiseWithResolvers<Answer> {
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const created = Promise.withResolvers<Answer>();
    this.#answers.set(key, created);
    return created;
  }
}

function keyOf(typeUrl: string, name: string): string {
  return `${typeUrl} ${name}`;
}
