import type { Push } from "./message.ts";
import { typeUrlOf, type Offered } from "./offer.ts";
import type { ResourceType } from "../../translate/envoy/resource.ts";

/**
 * Protobuf by hand for the two responses, so that a resource's bytes are copied and never encoded again. Field numbers:
 * envoy/service/discovery/v3/discovery.proto. A delta `Resource` is framed once and shared by all streams.
 */
const LENGTH_DELIMITED = 2;

const ANY = { typeUrl: 1, value: 2 } as const;
const RESOURCE = { version: 1, resource: 2, name: 3 } as const;
const DELTA_RESPONSE = { version: 1, resources: 2, typeUrl: 4, nonce: 5, removed: 6 } as const;
const SOTW_RESPONSE = { version: 1, resources: 2, typeUrl: 4, nonce: 5 } as const;

interface Frames {
  readonly delta: WeakMap<Offered, Buffer>;
  readonly sotw: WeakMap<Offered, Buffer>;
}

const frames: Frames = { delta: new WeakMap(), sotw: new WeakMap() };

/** A DeltaDiscoveryResponse or a DiscoveryResponse. */
export function encodePush(push: Push): Buffer {
  const field = push.kind === "delta" ? DELTA_RESPONSE : SOTW_RESPONSE;
  const parts = [
    ...stringField(field.version, push.version),
    ...push.resources.map((resource) => frame(push.kind, push.type, resource)),
    ...stringField(field.typeUrl, typeUrlOf(push.type)),
    ...stringField(field.nonce, push.nonce),
  ];
  if (push.kind === "delta") for (const name of push.removed) parts.push(...repeatedString(DELTA_RESPONSE.removed, name));
  return Buffer.concat(parts);
}

function frame(kind: Push["kind"], type: ResourceType, resource: Offered): Buffer {
  let framed = frames[kind].get(resource);
  if (framed === undefined) {
    const any = [...stringField(ANY.typeUrl, typeUrlOf(type)), ...bytesField(ANY.value, resource.bytes)];
    framed =
      kind === "sotw"
        ? Buffer.concat(messageField(SOTW_RESPONSE.resources, any))
        : Buffer.concat(
            messageField(DELTA_RESPONSE.resources, [
              ...stringField(RESOURCE.version, resource.version),
              ...messageField(RESOURCE.resource, any),
              ...stringField(RESOURCE.name, resource.name),
            ]),
          );
    frames[kind].set(resource, framed);
  }
  return framed;
}

function messageField(number: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [head(number, length), ...parts];
}

function bytesField(number: number, bytes: Uint8Array): Uint8Array[] {
  return bytes.length === 0 ? [] : [head(number, bytes.length), bytes];
}

/** Proto3 leaves an empty string out. */
function stringField(number: number, text: string): Uint8Array[] {
  return text === "" ? [] : repeatedString(number, text);
}

function repeatedString(number: number, text: string): Uint8Array[] {
  const bytes = Buffer.from(text, "utf8");
  return [head(number, bytes.length), bytes];
}

function head(number: number, length: number): Uint8Array {
  const bytes = [(number << 3) | LENGTH_DELIMITED];
  let rest = length;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
