import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { Server, ServerDuplexStream, ServiceDefinition } from "@grpc/grpc-js";
import { type Node, NodeSchema } from "../gen/envoy/config/core/v3/base_pb.js";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";

export interface FakeResource {
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** By type URL, by name. */
export type FakeResources = Readonly<Record<string, Readonly<Record<string, FakeResource>>>>;

type Stream = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

const ADS: ServiceDefinition = {
  deltaAggregatedResources: {
    path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    requestStream: true,
    responseStream: true,
    requestSerialize: (value: DeltaDiscoveryRequest) => Buffer.from(toBinary(DeltaDiscoveryRequestSchema, value)),
    requestDeserialize: (bytes: Buffer) => fromBinary(DeltaDiscoveryRequestSchema, bytes),
    responseSerialize: (value: DeltaDiscoveryResponse) => Buffer.from(toBinary(DeltaDiscoveryResponseSchema, value)),
    responseDeserialize: (bytes: Buffer) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
  },
};

/** A control plane in its shortest form: fixed resources by node, sent once to whoever asks. Returns the refusals that it got. */
export function registerFakeAds(server: Server, resourcesFor: (node: Node) => FakeResources): { readonly nacks: readonly string[] } {
  const nacks: string[] = [];
  server.addService(ADS, {
    deltaAggregatedResources(stream: Stream) {
      let node = create(NodeSchema);
      stream.on("data", (request: DeltaDiscoveryRequest) => {
        if (request.errorDetail !== undefined) nacks.push(request.errorDetail.message);
        node = request.node ?? node;
        if (request.responseNonce === "") stream.write(toResponse(request.typeUrl, resourcesFor(node)[request.typeUrl] ?? {}));
      });
      stream.on("error", () => undefined);
      stream.on("end", () => stream.end());
    },
  });
  return { nacks };
}

let nonce = 0;

function toResponse(typeUrl: string, resources: Readonly<Record<string, FakeResource>>): DeltaDiscoveryResponse {
  const all = Object.entries(resources);
  return create(DeltaDiscoveryResponseSchema, {
    typeUrl,
    nonce: String(++nonce),
    resources: all.map(([name, { version, bytes }]) => ({ name, version, resource: create(AnySchema, { typeUrl, value: bytes }) })),
  });
}
