import { create, type DescMessage, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Any, Duration } from "@bufbuild/protobuf/wkt";
import { hashBytes } from "../../base/stable-hash.ts";
import type { Origin } from "../../model/origin.ts";
import type { EnvoyResource, ResourceType } from "./resource.ts";

/** A message in the form in which Envoy's `typed_config` fields take it. */
export function packAny<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  const message = create(schema, init);
  return { $typeName: "google.protobuf.Any", typeUrl: typeUrlOf(schema), value: toBinary(schema, message) };
}

export function typeUrlOf(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`;
}

export function toDuration(milliseconds: number): Duration {
  const seconds = Math.floor(milliseconds / 1000);
  return { $typeName: "google.protobuf.Duration", seconds: BigInt(seconds), nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

export interface ResourceParts {
  readonly type: ResourceType;
  readonly name: string;
  readonly references: readonly { readonly type: ResourceType; readonly name: string }[];
  readonly origins: ReadonlyMap<string, readonly Origin[]>;
}

/** Encodes a message once; its version is the hash of the bytes. */
export function encodeResource(schema: DescMessage, message: Message, { type, name, references, origins }: ResourceParts): EnvoyResource {
  const bytes = toBinary(schema, message);
  return { type, name, version: hashBytes(bytes), bytes, message, references: uniqueReferences(references), origins };
}

function uniqueReferences(references: ResourceParts["references"]): ResourceParts["references"] {
  const byKey = new Map(references.map((reference) => [`${reference.type}/${reference.name}`, reference]));
  return [...byKey.values()];
}
