import { create, toBinary, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { NodeSchema } from "../gen/envoy/config/core/v3/base_pb.js";
import { DeltaDiscoveryRequestSchema, DiscoveryRequestSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import type { Proxy } from "../model/proxy.ts";
import { NODE_FIELD, readNode, toProxy } from "./node.ts";

const ID = "sidecar~10.244.0.7~users-1.shop~shop.svc.cluster.local";

const node = (over: MessageInitShape<typeof NodeSchema> = {}) => create(NodeSchema, { id: ID, ...over });

describe("a node becomes a proxy", () => {
  test.each<{ title: string; given: MessageInitShape<typeof NodeSchema>; expected: Partial<Proxy> }>([
    {
      title: "from its id alone",
      given: {},
      expected: {
        id: ID,
        type: "sidecar",
        name: "users-1",
        namespace: "shop",
        addresses: ["10.244.0.7"],
        serviceAccount: "default",
        labels: {},
        capture: "redirect",
        dnsCapture: false,
        version: "",
        locality: "",
      },
    },
    {
      title: "a gateway",
      given: { id: "router~10.0.0.1~gw-abc.istio-system~istio-system.svc.cluster.local" },
      expected: { type: "router", name: "gw-abc", namespace: "istio-system" },
    },
    {
      title: "a name with dots",
      given: { id: "sidecar~10.0.0.1~web.v1.shop~shop.svc.cluster.local" },
      expected: { name: "web.v1", namespace: "shop" },
    },
    {
      title: "all addresses, IPv4 first",
      given: { id: ID.replace("10.244.0.7", "fd00::7"), metadata: { INSTANCE_IPS: "fd00::7,10.244.0.7, junk" } },
      expected: { addresses: ["10.244.0.7", "fd00::7"] },
    },
    {
      title: "labels and service account",
      given: { metadata: { NAMESPACE: "shop", LABELS: { app: "users", version: "v1" }, SERVICE_ACCOUNT: "users" } },
      expected: { labels: { app: "users", version: "v1" }, serviceAccount: "users" },
    },
    {
      title: "cluster and network",
      given: { metadata: { CLUSTER_ID: "east", NETWORK: "n1" } },
      expected: { cluster: "east", network: "n1" },
    },
    { title: "locality", given: { locality: { region: "eu", zone: "a" } }, expected: { locality: "eu/a" } },
    {
      title: "Envoy's version",
      given: { userAgentVersionType: { case: "userAgentBuildVersion", value: { version: { majorNumber: 1, minorNumber: 40, patch: 2 } } } },
      expected: { version: "1.40.2" },
    },
    {
      title: "no capture, with local ports",
      given: { metadata: { INTERCEPTION_MODE: "NONE", KUMIKO_LOCAL_PORTS: { "users.shop.svc.cluster.local:80": 31001 } } },
      expected: { capture: "none", localPorts: { "users.shop.svc.cluster.local:80": 31001 } },
    },
    {
      title: "loopback addresses for services, and ports for outside hosts",
      given: { metadata: { KUMIKO_LOCAL_ADDRESSES: { "db.test": "127.70.1.2" }, KUMIKO_OUTSIDE_PORTS: { "db.test:443": 20_443 } } },
      expected: { localAddresses: { "db.test": "127.70.1.2" }, outsidePorts: { "db.test:443": 20_443 } },
    },
    {
      title: "local ports as JSON text",
      given: { metadata: { KUMIKO_LOCAL_PORTS: '{"users:80": 31001}' } },
      expected: { localPorts: { "users:80": 31001 } },
    },
    { title: "DNS capture as text and as a boolean", given: { metadata: { DNS_CAPTURE: "true" } }, expected: { dnsCapture: true } },
    { title: "DNS capture as a boolean", given: { metadata: { DNS_CAPTURE: true } }, expected: { dnsCapture: true } },
  ])("$title", ({ given, expected }) => {
    expect(toProxy(node(given))).toMatchObject(expected);
  });
});

describe("a bad node is refused with a reason", () => {
  test.each<{ title: string; given: MessageInitShape<typeof NodeSchema>; reason: string }>([
    { title: "no id", given: { id: "" }, reason: "not of the form" },
    { title: "three parts", given: { id: "sidecar~10.0.0.1~a.b" }, reason: "not of the form" },
    { title: "five parts", given: { id: `${ID}~x` }, reason: "not of the form" },
    { title: "an id without end", given: { id: "x".repeat(100_000) }, reason: "not of the form" },
    { title: "another type", given: { id: ID.replace("sidecar", "ztunnel") }, reason: 'node type "ztunnel"' },
    { title: "no address", given: { id: ID.replace("10.244.0.7", "localhost") }, reason: "no IP address" },
    { title: "no namespace", given: { id: ID.replace("users-1.shop", "users") }, reason: "no valid name.namespace" },
    { title: "a namespace that is a path", given: { id: ID.replace("users-1.shop", "users.../etc") }, reason: "no valid name.namespace" },
    { title: "another namespace in the metadata", given: { metadata: { NAMESPACE: "bank" } }, reason: 'NAMESPACE is "bank"' },
    { title: "a label that is no text", given: { metadata: { LABELS: { app: 1 } } }, reason: 'label "app"' },
    {
      title: "too many labels",
      given: { metadata: { LABELS: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`l${i}`, ""])) } },
      reason: "more than 256",
    },
    {
      title: "a local address that others reach",
      given: { metadata: { KUMIKO_LOCAL_ADDRESSES: { a: "10.0.0.7" } } },
      reason: "is not a loopback address",
    },
    { title: "an outside port that is none", given: { metadata: { KUMIKO_OUTSIDE_PORTS: { "a:1": 0 } } }, reason: "is not a port" },
    { title: "a port beyond all ports", given: { metadata: { KUMIKO_LOCAL_PORTS: { "a:1": 70_000 } } }, reason: "is not a port" },
  ])("$title", ({ given, reason }) => {
    expect(toProxy(node(given))).toEqual({ reason: expect.stringContaining(reason) });
  });

  test("labels named __proto__ pollute nothing", () => {
    const metadata = JSON.parse('{"LABELS": {"__proto__": "x", "constructor": "y"}}') as JsonObject;
    toProxy(node({ metadata }));
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
    expect(Object.prototype.constructor).toBe(Object);
  });
});

describe("the node is read before anything else", () => {
  test.each([
    {
      title: "delta",
      field: NODE_FIELD.delta,
      bytes: toBinary(
        DeltaDiscoveryRequestSchema,
        create(DeltaDiscoveryRequestSchema, { node: node(), typeUrl: "t", resourceNamesSubscribe: ["a"] }),
      ),
    },
    {
      title: "state of the world",
      field: NODE_FIELD.sotw,
      bytes: toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { versionInfo: "v", node: node(), resourceNames: ["a"] })),
    },
  ])("$title", ({ field, bytes }) => {
    expect(readNode(bytes, field, 1_000)).toMatchObject({ id: ID });
  });

  test.each([
    {
      title: "a node that is too large",
      bytes: toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { node: node({ cluster: "x".repeat(2_000) }) })),
      reason: "larger than 1000 bytes",
    },
    {
      title: "no node",
      bytes: toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl: "t" })),
      reason: "must carry a node",
    },
    { title: "bytes that are no message", bytes: Uint8Array.of(0x0a, 0xff, 0xff), reason: "not a discovery request" },
  ])("refuses $title", ({ bytes, reason }) => {
    expect(readNode(bytes, NODE_FIELD.delta, 1_000)).toEqual({ reason: expect.stringContaining(reason) });
  });

  test("30,000 nested values end in an answer, not in a crash", () => {
    expect(readNode(nested(30_000), NODE_FIELD.delta, 100_000_000)).toBeDefined();
  });
});

/** `node.metadata` as a struct in a struct in a struct: each level wraps the one below. */
function nested(levels: number): Uint8Array {
  const field = (number: number, body: Uint8Array) => {
    const length: number[] = [];
    for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
      length.push(rest > 127 ? (rest & 127) | 128 : rest);
      if (rest <= 127) break;
    }
    return Uint8Array.from([(number << 3) | 2, ...length, ...body]);
  };
  let size = 0;
  // Built from the inside out with lengths only, so that it stays linear.
  const parts: number[][] = [];
  for (let i = 0; i < levels; i++) {
    const list: number[] = [];
    for (const number of [1, 6]) {
      const prefix = [(number << 3) | 2, ...varint(size)];
      list.unshift(...prefix);
      size += prefix.length;
    }
    parts.push(list);
  }
  const value = Uint8Array.from(parts.toReversed().flat());
  const entry = field(1, Uint8Array.from([...field(1, Uint8Array.of(97)), ...field(2, value)]));
  return field(1, field(3, entry));
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) return bytes;
  }
}
