import type { ResourceType, TypeUrl } from "../../translate/envoy/resource.ts";
import { TYPE_URLS } from "../../translate/envoy/resource.ts";

export interface Reference {
  readonly type: ResourceType;
  readonly name: string;
}

/** What a stream must know of a resource to send it; every `EnvoyResource` is one. */
export interface Offered {
  readonly name: string;
  /** Hash of the content: equal versions are never sent again. */
  readonly version: string;
  /** The encoded message, as it stands in `Any.value`. */
  readonly bytes: Uint8Array;
  /** What must be at the client beside it. */
  readonly references: readonly Reference[];
}

/** All resources of one type that one client may be sent, by name. The same object means the same content. */
export type Offer = ReadonlyMap<string, Offered>;

/** All that one client may be sent. */
export type Offers = ReadonlyMap<ResourceType, Offer>;

/** The order in which updates leave; `translate` lists the types in it. */
export const SENDING_ORDER = Object.keys(TYPE_URLS) as readonly ResourceType[];

const TYPE_OF_URL: ReadonlyMap<string, ResourceType> = new Map(SENDING_ORDER.map((type) => [TYPE_URLS[type], type]));

/** Undefined for a type that nobody here serves. */
export function findResourceType(typeUrl: string): ResourceType | undefined {
  return TYPE_OF_URL.get(typeUrl);
}

export function typeUrlOf(type: ResourceType): TypeUrl {
  return TYPE_URLS[type];
}
