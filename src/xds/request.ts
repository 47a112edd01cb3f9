import { fromBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryRequestSchema, DiscoveryRequestSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import type { XdsRequest } from "./protocol/message.ts";
import { findResourceType } from "./protocol/offer.ts";

/** Longer error texts are cut; Envoy's own are a few kilobytes. */
const MAX_ERROR = 16_384;

/** Undefined for a type that is not served: the client gets no answer to it, as from a server that has no such resources. @throws on bytes that are no request. */
export function decodeRequest(kind: XdsRequest["kind"], bytes: Uint8Array): XdsRequest | undefined {
  return kind === "delta" ? decodeDelta(bytes) : decodeSotw(bytes);
}

function decodeDelta(bytes: Uint8Array): XdsRequest | undefined {
  const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
  const type = findResourceType(request.typeUrl);
  if (type === undefined) return undefined;
  return {
    kind: "delta",
    type,
    nonce: request.responseNonce,
    subscribe: request.resourceNamesSubscribe,
    unsubscribe: request.resourceNamesUnsubscribe,
    initialVersions: request.initialResourceVersions,
    ...(request.errorDetail !== undefined && { error: request.errorDetail.message.slice(0, MAX_ERROR) }),
  };
}

function decodeSotw(bytes: Uint8Array): XdsRequest | undefined {
  const request = fromBinary(DiscoveryRequestSchema, bytes);
  const type = findResourceType(request.typeUrl);
  if (type === undefined) return undefined;
  return {
    kind: "sotw",
    type,
    nonce: request.responseNonce,
    names: request.resourceNames,
    version: request.versionInfo,
    ...(request.errorDetail !== undefined && { error: request.errorDetail.message.slice(0, MAX_ERROR) }),
  };
}
