import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ClusterSchema } from "../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from "../../gen/envoy/service/discovery/v3/discovery_pb.js";
import type { Push } from "./message.ts";
import { typeUrlOf, type Offered } from "./offer.ts";
import { encodePush } from "./wire.ts";

const cluster = (name: string): Offered => ({
  name,
  version: `v-${name.length}`,
  bytes: toBinary(ClusterSchema, create(ClusterSchema, { name })),
  references: [],
});

const push = (over: Partial<Push>): Push => ({
  kind: "delta",
  type: "cluster",
  nonce: "a-1",
  version: "v",
  resources: [],
  removed: [],
  ...over,
});

/** 200 bytes and more need a length of two bytes, 20,000 one of three. */
const resources = [
  cluster("a"),
  cluster("größer"),
  cluster("x".repeat(200)),
  cluster("y".repeat(20_000)),
  { ...cluster("empty"), bytes: new Uint8Array() },
];

describe("a message framed by hand is the one that protobuf encodes", () => {
  test.each<{ title: string; given: Push }>([
    { title: "delta with resources", given: push({ resources }) },
    { title: "delta with removals", given: push({ removed: ["a", "", "größer"] }) },
    { title: "delta with both, no version and no nonce", given: push({ resources, removed: ["b"], version: "", nonce: "" }) },
    { title: "delta with nothing", given: push({}) },
  ])("$title", ({ given }) => {
    const expected = create(DeltaDiscoveryResponseSchema, {
      systemVersionInfo: given.version,
      resources: given.resources.map(({ name, version, bytes }) => ({
        name,
        version,
        resource: { typeUrl: typeUrlOf("cluster"), value: bytes },
      })),
      typeUrl: typeUrlOf("cluster"),
      nonce: given.nonce,
      removedResources: [...given.removed],
    });
    expect(fromBinary(DeltaDiscoveryResponseSchema, new Uint8Array(encodePush(given)))).toEqual(
      fromBinary(DeltaDiscoveryResponseSchema, toBinary(DeltaDiscoveryResponseSchema, expected)),
    );
    expect(encodePush(given).length).toBe(toBinary(DeltaDiscoveryResponseSchema, expected).length);
  });

  test("state of the world", () => {
    const given = push({ kind: "sotw", resources });
    const expected = create(DiscoveryResponseSchema, {
      versionInfo: given.version,
      resources: resources.map(({ bytes }) => ({ typeUrl: typeUrlOf("cluster"), value: bytes })),
      typeUrl: typeUrlOf("cluster"),
      nonce: given.nonce,
    });
    expect(encodePush(given)).toEqual(Buffer.from(toBinary(DiscoveryResponseSchema, expected)));
  });
});
