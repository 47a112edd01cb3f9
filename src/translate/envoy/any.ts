import { create, type DescMessage, type Message, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Any, Duration } from "@bufbuild/protobuf/wkt";
import { hashBytes, stableHash } from "../../base/stable-hash.ts";
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

/** Encodes a message once; its version is the hash of the bytes. The message itself is kept by nobody: who asks for it gets it from the bytes. */
export function encodeResource(schema: DescMessage, message: Message, { type, name, references, origins }: ResourceParts): EnvoyResource {
  const bytes = toBinary(schema, message);
  const decoded = once(() => fromBinary(schema, bytes));
  return {
    type,
    name,
    version: hashBytes(bytes),
    bytes,
    get message() {
      return decoded();
    },
    references: uniqueReferences(references),
    origins,
  };
}

/** A piece of an encoded message, and the hash of its bytes. Pieces of one message are joined by standing one after the other. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

export function encodeChunk<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Chunk {
  const bytes = toBinary(schema, create(schema, init));
  return { bytes, hash: hashBytes(bytes) };
}

/** What a resource that is put together from parts is asked for, each only if somebody asks. */
export interface LazyParts {
  readonly type: ResourceType;
  readonly name: string;
  readonly version: string;
  readonly bytes: () => Uint8Array;
  readonly message: () => Message;
  readonly references: () => ResourceParts["references"];
  readonly origins: () => ResourceParts["origins"];
}

/** A resource of parts that are encoded already: put together when it is sent, by whoever sends it, who keeps it framed. */
export function lazyResource({ type, name, version, bytes, message, references, origins }: LazyParts): EnvoyResource {
  const whole = once(message);
  const named = once(() => uniqueReferences(references()));
  const from = once(origins);
  return {
    type,
    name,
    version,
    get bytes() {
      return bytes();
    },
    get message() {
      return whole();
    },
    get references() {
      return named();
    },
    get origins() {
      return from();
    },
  };
}

/** A resource whose bytes are chunks that stand one after the other; its version is the hash of theirs. */
export function chunkedResource({ chunks, ...parts }: Omit<LazyParts, "version" | "bytes"> & { readonly chunks: readonly Chunk[] }) {
  return lazyResource({ ...parts, version: stableHash(chunks.map(({ hash }) => hash)), bytes: () => concat(chunks) });
}

/** A message of a single field, whose value is encoded already. */
export function nested({ number }: { readonly number: number }, bytes: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish();
}

function once<Value extends object>(make: () => Value): () => Value {
  let value: Value | undefined;
  return () => (value ??= make());
}

export function concat(chunks: readonly Pick<Chunk, "bytes">[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let at = 0;
  for (const { bytes } of chunks) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}

function uniqueReferences(references: ResourceParts["references"]): ResourceParts["references"] {
  const byKey = new Map(references.map((reference) => [`${reference.type}/${reference.name}`, reference]));
  return [...byKey.values()];
}
