import { isIP, isIPv4 } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { isIpv4Loopback } from "../base/index.ts";
import { NodeSchema, type Node } from "../gen/envoy/config/core/v3/base_pb.js";
import type { Proxy } from "../model/proxy.ts";

/** Why a node can't be served; the client reads it as INVALID_ARGUMENT. */
export interface BadNode {
  readonly reason: string;
}

const NODE_TYPES = ["sidecar", "router"] as const;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/;
const MAX_LABELS = 256;
const MAX_LOCAL_PORTS = 10_000;
const MAX_TEXT = 1_024;

/** Where `node` stands in DeltaDiscoveryRequest and in DiscoveryRequest. */
export const NODE_FIELD = { delta: 1, sotw: 2 } as const;

/** Takes the node, and nothing else, out of a first request, so that nothing else is parsed before the client is authorised. */
export function readNode(request: Uint8Array, field: number, maxBytes: number): Node | BadNode {
  try {
    const reader = new BinaryReader(request);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      if (number !== field || wireType !== WireType.LengthDelimited) {
        reader.skip(wireType, number);
        continue;
      }
      const bytes = reader.bytes();
      if (bytes.length > maxBytes) return { reason: `the node is larger than ${maxBytes} bytes` };
      return fromBinary(NodeSchema, bytes);
    }
    return { reason: "the first request of a stream must carry a node" };
  } catch {
    return { reason: "the request is not a discovery request" };
  }
}

/**
 * Istio's node id (`sidecar~10.0.0.7~users-1.shop~shop.svc.cluster.local`) and metadata as a proxy. The namespace stands in both and must be
 * the same: it decides what the proxy may see.
 */
export function toProxy(node: Node): Proxy | BadNode {
  const parsed = parseId(node.id);
  if ("reason" in parsed) return parsed;
  const metadata: Metadata = node.metadata ?? {};
  const claimed = textOf(metadata, "NAMESPACE");
  if (claimed !== "" && claimed !== parsed.namespace) {
    return { reason: `metadata NAMESPACE is ${quote(claimed)} but the node id says ${quote(parsed.namespace)}` };
  }
  const labels = readLabels(metadata["LABELS"]);
  if ("reason" in labels) return labels as BadNode;
  const localPorts = readPorts(metadata, "KUMIKO_LOCAL_PORTS");
  if ("reason" in localPorts) return localPorts as BadNode;
  const localAddresses = readLocalAddresses(metadata);
  if ("reason" in localAddresses) return localAddresses as BadNode;
  const outsidePorts = readPorts(metadata, "KUMIKO_OUTSIDE_PORTS");
  if ("reason" in outsidePorts) return outsidePorts as BadNode;
  return {
    id: node.id,
    type: parsed.type,
    name: parsed.name,
    namespace: parsed.namespace,
    addresses: readAddresses(parsed.address, textOf(metadata, "INSTANCE_IPS")),
    labels: labels.value,
    serviceAccount: textOf(metadata, "SERVICE_ACCOUNT") || "default",
    cluster: textOf(metadata, "CLUSTER_ID"),
    network: textOf(metadata, "NETWORK"),
    locality: formatLocality(node),
    version: readVersion(node),
    capture: textOf(metadata, "INTERCEPTION_MODE").toUpperCase() === "NONE" ? "none" : "redirect",
    localPorts: localPorts.value,
    localAddresses: localAddresses.value,
    outsidePorts: outsidePorts.value,
    dnsCapture: textOf(metadata, "DNS_CAPTURE").toLowerCase() === "true",
  };
}

type Metadata = Readonly<Record<string, unknown>>;

function parseId(id: string): (Pick<Proxy, "type" | "name" | "namespace"> & { readonly address: string }) | BadNode {
  const [type, address = "", fullName = "", domain, ...rest] = id.length > MAX_TEXT ? [] : id.split("~");
  if (domain === undefined || rest.length > 0)
    return { reason: `node id ${quote(id)} is not of the form type~address~name.namespace~domain` };
  const known = NODE_TYPES.find((one) => one === type);
  if (known === undefined) return { reason: `node type ${quote(type ?? "")} is not served; sidecar and router are` };
  if (isIP(address) === 0) return { reason: `node id ${quote(id)} has no IP address` };
  const dot = fullName.lastIndexOf(".");
  const name = fullName.slice(0, Math.max(dot, 0));
  const namespace = fullName.slice(dot + 1);
  if (!NAME.test(name) || !NAMESPACE.test(namespace)) return { reason: `node id ${quote(id)} has no valid name.namespace` };
  return { type: known, address, name, namespace };
}

/** Numbers and booleans too: Istio's bootstrap writes them as they come. */
function textOf(metadata: Metadata, key: string): string {
  const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  return typeof value === "string"
    ? value.slice(0, MAX_TEXT)
    : typeof value === "boolean" || typeof value === "number"
      ? String(value)
      : "";
}

function readLabels(value: unknown): { readonly value: Readonly<Record<string, string>> } | BadNode {
  const entries = entriesOf(value);
  if (entries.length > MAX_LABELS) return { reason: `LABELS has more than ${MAX_LABELS} entries` };
  for (const [key, text] of entries)
    if (typeof text !== "string" || key.length + text.length > MAX_TEXT) return { reason: `label ${quote(key)} is not a short text` };
  return { value: Object.fromEntries(entries as [string, string][]) };
}

function readPorts(metadata: Metadata, name: string): { readonly value: Readonly<Record<string, number>> } | BadNode {
  return readTable(metadata, name, "a port", (port) => Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535);
}

/** A listener of the workload's own way out is for nobody else: nothing but loopback addresses. */
function readLocalAddresses(metadata: Metadata): { readonly value: Readonly<Record<string, string>> } | BadNode {
  return readTable(
    metadata,
    "KUMIKO_LOCAL_ADDRESSES",
    "a loopback address",
    (address) => typeof address === "string" && isIpv4Loopback(address),
  );
}

/** A struct, or the same as JSON text. */
function readTable<T>(
  metadata: Metadata,
  name: string,
  what: string,
  isValue: (value: unknown) => boolean,
): { readonly value: Readonly<Record<string, T>> } | BadNode {
  const given = metadata[name];
  const entries = entriesOf(typeof given === "string" ? parseJson(given) : given);
  if (entries.length > MAX_LOCAL_PORTS) return { reason: `${name} has more than ${MAX_LOCAL_PORTS} entries` };
  for (const [key, value] of entries) if (!isValue(value)) return { reason: `${name} of ${quote(key)} is not ${what}` };
  return { value: Object.fromEntries(entries as [string, T][]) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

function readAddresses(first: string, instanceIps: string): readonly string[] {
  const all = [first, ...instanceIps.split(",").map((address) => address.trim())].filter((address) => isIP(address) !== 0);
  const unique = [...new Set(all)].slice(0, 64);
  return [...unique.filter((address) => isIPv4(address)), ...unique.filter((address) => !isIPv4(address))];
}

function formatLocality({ locality }: Node): string {
  const parts = [locality?.region ?? "", locality?.zone ?? "", locality?.subZone ?? ""];
  while (parts.at(-1) === "") parts.pop();
  return parts.join("/");
}

function readVersion({ userAgentVersionType: agent }: Node): string {
  if (agent.case === "userAgentVersion") return agent.value;
  const version = agent.case === "userAgentBuildVersion" ? agent.value.version : undefined;
  return version === undefined ? "" : `${version.majorNumber}.${version.minorNumber}.${version.patch}`;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
