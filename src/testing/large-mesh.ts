import { stableHash } from "../base/stable-hash.ts";
import type { LocatedResource } from "../model/resource.ts";

/** Resources of a mesh of `count` services in namespaces of ten, each with one Pod, a VirtualService and a DestinationRule; for benchmarks. */
export function largeResources(count: number): readonly LocatedResource[] {
  return Array.from({ length: count }, (_, i) => serviceResources(i)).flat();
}

/** The same resources with another timeout in one VirtualService: what an edit changes. */
export function withEditedRoute(resources: readonly LocatedResource[], timeout: string): readonly LocatedResource[] {
  const edited = resources.findIndex(({ kind }) => kind === "VirtualService");
  return resources.map((own, i) => {
    if (i !== edited) return own;
    const { name, namespace } = own.metadata;
    return virtualService(name, namespace, timeout);
  });
}

function serviceResources(i: number): readonly LocatedResource[] {
  const name = `service-${i}`;
  const namespace = `team-${Math.floor(i / 10)}`;
  const http = i % 4 !== 3;
  const ports = [http ? { port: 8080, name: "http", targetPort: 8080 } : { port: 5432, name: "tcp-db", targetPort: 5432 }];
  const labels = { app: name, version: "v1" };
  const pod = {
    spec: { serviceAccountName: name, containers: [{ name: "app", ports: [{ containerPort: ports[0]?.port ?? 0 }] }] },
    status: { podIP: `10.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`, conditions: [{ type: "Ready", status: "True" }] },
  };
  return [
    resource("v1", "Service", name, namespace, { spec: { selector: { app: name }, ports } }),
    {
      ...resource("v1", "Pod", `${name}-0`, namespace, pod),
      metadata: { name: `${name}-0`, namespace, labels, annotations: { "sidecar.istio.io/status": "{}" } },
    },
    resource("networking.istio.io/v1", "DestinationRule", name, namespace, {
      spec: { host: name, subsets: [{ name: "v1", labels: { version: "v1" } }] },
    }),
    ...(http ? [virtualService(name, namespace, "10s")] : []),
  ];
}

function virtualService(name: string, namespace: string, timeout: string): LocatedResource {
  const http = [
    { match: [{ uri: { prefix: "/api" } }], route: [{ destination: { host: name, subset: "v1" } }], timeout },
    { route: [{ destination: { host: name } }] },
  ];
  return resource("networking.istio.io/v1", "VirtualService", name, namespace, { spec: { hosts: [name], http } });
}

function resource(apiVersion: string, kind: string, name: string, namespace: string, body: object): LocatedResource {
  const position = { file: `${namespace}/${name}.yaml`, line: 1, column: 1 };
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels: {}, annotations: {} },
    body,
    hash: stableHash({ kind, name, namespace, body }),
    locate: () => position,
  };
}
