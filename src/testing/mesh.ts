import { type Document, isMap, LineCounter, parseAllDocuments } from "yaml";
import { stableHash } from "../base/stable-hash.ts";
import { createMesh, type Locate, type Mesh, type MeshSettingsOptions } from "../mesh/index.ts";
import type { Proxy } from "../model/proxy.ts";
import type { JsonPath, SourcePosition } from "../model/position.ts";
import { formatRef, type LocatedResource, refOf } from "../model/resource.ts";

/** Reads YAML documents as resources, without the checks of `schema/`: what a test writes is taken at its word. */
export function resourcesOf(yaml: string, file = "mesh.yaml"): readonly LocatedResource[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(yaml, { lineCounter: lines });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0] as Error;
    return isMap(document.contents) ? [toResource(document, lines, file)] : [];
  });
}

/** A mesh of the YAML given. */
export function meshOf(yaml: string, options: MeshSettingsOptions = {}): Mesh {
  const resources = resourcesOf(yaml);
  return createMesh(resources, options);
}

/** Where nodes of these resources stand. */
export function locateIn(resources: readonly LocatedResource[]): Locate {
  const byRef = new Map(resources.map((resource) => [formatRef(refOf(resource)), resource]));
  return ({ ref, path }) => byRef.get(formatRef(ref))?.locate(path);
}

/** A sidecar of `users-1` in namespace `shop`, but for what is given. */
export function sidecar(over: Partial<Proxy> = {}): Proxy {
  const { namespace = "shop", name = "users-1" } = over;
  return {
    id: `sidecar~10.244.0.7~${name}.${namespace}~${namespace}.svc.cluster.local`,
    type: "sidecar",
    name,
    namespace,
    addresses: ["10.244.0.7"],
    labels: { app: "users" },
    serviceAccount: "users",
    cluster: "Kubernetes",
    network: "",
    locality: "",
    version: "1.40.0",
    capture: "redirect",
    localPorts: {},
    localAddresses: {},
    outsidePorts: {},
    dnsCapture: true,
    ...over,
  };
}

/** A gateway proxy that the usual selector `istio: ingressgateway` chooses. */
export function router(over: Partial<Proxy> = {}): Proxy {
  const { namespace = "istio-system", name = "gateway-1" } = over;
  return {
    ...sidecar({
      name,
      namespace,
      labels: { istio: "ingressgateway" },
      serviceAccount: "gateway",
      addresses: ["10.244.0.2"],
      dnsCapture: false,
    }),
    id: `router~10.244.0.2~${name}.${namespace}~${namespace}.svc.cluster.local`,
    type: "router",
    ...over,
  };
}

function toResource(document: Document, lines: LineCounter, file: string): LocatedResource {
  const { apiVersion = "", kind = "", metadata = {}, ...body } = document.toJS() as Raw;
  const { name = "", namespace = "default", labels = {}, annotations = {}, creationTimestamp } = metadata;
  const meshConfig = kind === "ConfigMap" && typeof body["data"] === "object" && body["data"] !== null && "mesh" in body["data"];
  const own = {
    name,
    namespace: kind === "Namespace" ? "" : namespace,
    labels,
    annotations,
    ...(creationTimestamp !== undefined && { creationTimestamp }),
  };
  return {
    apiVersion,
    kind: meshConfig ? "MeshConfig" : kind,
    metadata: own,
    body: meshConfig ? parseAllDocuments(String((body["data"] as { mesh: string }).mesh))[0]?.toJS() : body,
    hash: stableHash({ apiVersion, kind, metadata: own, body }),
    locate: (path) => positionOf(document, path, lines, file),
  };
}

interface Raw {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    name?: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    creationTimestamp?: string;
  };
  readonly [key: string]: unknown;
}

function positionOf(document: Document, path: JsonPath, lines: LineCounter, file: string): SourcePosition {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (typeof node !== "object" || node === null || !("range" in node)) continue;
    const range = node.range as readonly number[] | undefined;
    if (range === undefined) continue;
    const { line, col } = lines.linePos(range[0] ?? 0);
    return { file, line, column: col };
  }
  return { file, line: 1, column: 1 };
}
