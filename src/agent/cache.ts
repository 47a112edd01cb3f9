import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryResponseSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import type { ResourceType } from "../translate/envoy/resource.ts";
import { findResourceType, SENDING_ORDER, type Offered, type Offers } from "../xds/protocol/offer.ts";
import { encodePush } from "../xds/protocol/wire.ts";

/** File: magic, time of writing (ms, 8 bytes), SHA-256 of the rest (32 bytes), then one length (4 bytes) and DeltaDiscoveryResponse a type. */
const MAGIC = Buffer.from("KMKXDS1\n", "latin1");
const HASH_AT = MAGIC.length + 8;
const BODY_AT = HASH_AT + 32;

/** The last good copy of what one Envoy acknowledged: in memory all of it, on disk all but secrets. */
export class Cache {
  readonly #file: string | undefined;
  readonly #byType = new Map<ResourceType, Map<string, Offered>>(SENDING_ORDER.map((type) => [type, new Map()]));
  #isDirty = false;
  #savedAtMs: number | undefined;

  private constructor(file: string | undefined) {
    this.#file = file;
  }

  /** Reads the copy of an earlier run; one that is damaged or cut short counts as none, and `problem` says so. */
  static open(file: string | undefined): { readonly cache: Cache; readonly problem?: string } {
    const cache = new Cache(file);
    if (file === undefined) return { cache };
    try {
      cache.#read(readFileSync(file));
      return { cache };
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return { cache };
      return {
        cache: new Cache(file),
        problem: `the saved configuration can't be used: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }

  get(type: ResourceType): ReadonlyMap<string, Offered> {
    return this.#of(type);
  }

  get isEmpty(): boolean {
    return [...this.#byType.values()].every((resources) => resources.size === 0);
  }

  /** When the copy on disk was written; undefined where there is none. */
  get savedAtMs(): number | undefined {
    return this.#savedAtMs;
  }

  /** What Envoy acknowledged in one message. */
  apply(type: ResourceType, resources: readonly Offered[], removed: readonly string[]): void {
    for (const resource of resources) this.#of(type).set(resource.name, resource);
    for (const name of removed) this.#of(type).delete(name);
    this.#isDirty ||= type !== "secret" && resources.length + removed.length > 0;
  }

  /** Leaves only these names of a type. */
  retain(type: ResourceType, names: (name: string) => boolean): void {
    const gone = [...this.#of(type).keys()].filter((name) => !names(name));
    this.apply(type, [], gone);
  }

  /** Writes to disk what changed since the last time; a reader sees the old or the new copy, never a part. */
  save(nowMs: number): void {
    if (this.#file === undefined || !this.#isDirty) return;
    const file = this.#file;
    const next = `${file}.${process.pid}.new`;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    rmSync(next, { force: true });
    const handle = openSync(next, "wx", 0o600);
    try {
      writeSync(handle, this.#encode(nowMs));
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(next, file);
    this.#isDirty = false;
    this.#savedAtMs = nowMs;
  }

  #of(type: ResourceType): Map<string, Offered> {
    let resources = this.#byType.get(type);
    if (resources === undefined) {
      resources = new Map();
      this.#byType.set(type, resources);
    }
    return resources;
  }

  #encode(nowMs: number): Buffer {
    const parts: Buffer[] = [];
    for (const [type, resources] of this.#byType) {
      if (type === "secret") continue;
      const message = encodePush({ kind: "delta", type, nonce: "", version: "", resources: [...resources.values()], removed: [] });
      const length = Buffer.alloc(4);
      length.writeUInt32BE(message.length);
      parts.push(length, message);
    }
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(BODY_AT);
    MAGIC.copy(head);
    head.writeBigUInt64BE(BigInt(Math.trunc(nowMs)), MAGIC.length);
    createHash("sha256").update(head.subarray(0, HASH_AT)).update(body).digest().copy(head, HASH_AT);
    return Buffer.concat([head, body]);
  }

  #read(file: Buffer): void {
    if (file.length < BODY_AT || !file.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error("it is not a file of this kind");
    const body = file.subarray(BODY_AT);
    const hash = createHash("sha256").update(file.subarray(0, HASH_AT)).update(body).digest();
    if (!hash.equals(file.subarray(HASH_AT, BODY_AT))) throw new Error("it is damaged");
    for (let at = 0; at < body.length; ) {
      const end = at + 4 + body.readUInt32BE(at);
      this.#readType(body.subarray(at + 4, end));
      at = end;
    }
    this.#savedAtMs = Number(file.readBigUInt64BE(MAGIC.length));
  }

  #readType(message: Uint8Array): void {
    const response = fromBinary(DeltaDiscoveryResponseSchema, message);
    const type = findResourceType(response.typeUrl);
    if (type === undefined) throw new Error("it holds a type that is not known");
    for (const { name, version, resource } of response.resources) {
      this.#of(type).set(name, { name, version, bytes: resource?.value ?? new Uint8Array(), references: [] });
    }
  }
}

/**
 * The copy as an offer for a proxy that holds some of it already. What it holds stays as it is, whatever its version: a copy may be older than
 * what the proxy took last.
 */
export function offerCopy(cache: Cache, held: (type: ResourceType, name: string) => string | undefined): Offers {
  return new Map(
    SENDING_ORDER.map((type) => [
      type,
      new Map([...cache.get(type)].map(([name, resource]) => [name, { ...resource, version: held(type, name) ?? resource.version }])),
    ]),
  );
}
