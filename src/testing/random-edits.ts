import fc from "fast-check";
import { stableHash } from "../base/stable-hash.ts";
import type { ResourceEdit } from "../mesh/index.ts";
import { refOf, type Resource } from "../model/resource.ts";

/**
 * Random edits of a small mesh in which everything meets: few names, namespaces, labels and hosts, so that claims, selectors, ages and references
 * overlap often. A name that is edited again is replaced; `undefined` takes it away.
 */
export function arbitraryEdits(limits: { readonly minLength: number; readonly maxLength: number }): fc.Arbitrary<readonly ResourceEdit[]> {
  return fc.array(fc.oneof({ weight: 4, arbitrary: declared }, { weight: 1, arbitrary: removed }), { ...limits, size: "max" });
}

const NAMESPACES = ["shop", "data", "istio-system"] as const;
const NAMES = ["users", "orders"] as const;
const namespace = fc.constantFrom(...NAMESPACES);
const name = fc.constantFrom(...NAMES);
const created = fc.constantFrom("", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
const labels = fc.record({ app: name, version: fc.constantFrom("v1", "v2") }, { requiredKeys: ["app"] });
const selecting = fc.oneof(fc.record({ app: name }), labels);
const exportTo = fc.constantFrom(undefined, ["*"], ["."], ["data"], ["~"]);
const host = fc.constantFrom(
  "users",
  "orders.shop.svc.cluster.local",
  "users.shop.svc.cluster.local",
  "users.shop",
  "*.shop.svc.cluster.local",
  "api.example.com",
  "*.example.com",
);
const selector = fc.option(fc.record({ matchLabels: selecting }), { nil: undefined });
const mode = fc.constantFrom("STRICT", "PERMISSIVE", "DISABLE", "UNSET");

const service = fc.record(
  {
    type: fc.constantFrom("ClusterIP", "ClusterIP", "ExternalName"),
    clusterIP: fc.constantFrom("None", "10.0.0.1", "10.0.0.2"),
    selector: selecting,
    ports: fc.uniqueArray(
      fc.constantFrom(
        { name: "http", port: 80 },
        { name: "http-b", port: 8080, targetPort: "web" },
        { name: "tcp-db", port: 5432 },
        { name: "tls-x", port: 443 },
        { name: "x", port: 9000 },
      ),
      { minLength: 1, maxLength: 3, selector: ({ port }) => port },
    ),
  },
  { requiredKeys: ["ports", "selector"] },
);

const serviceEntry = fc.record(
  {
    hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }),
    addresses: fc.constantFrom(["10.0.0.1"], ["10.0.0.0/24"], []),
    ports: fc.constantFrom(
      [{ number: 80, name: "http", protocol: "HTTP" }],
      [{ number: 443, name: "tls", protocol: "TLS" }],
      [{ number: 5432, name: "tcp", protocol: "TCP" }],
    ),
    resolution: fc.constantFrom("DNS", "STATIC", "NONE"),
    location: fc.constantFrom("MESH_INTERNAL", "MESH_EXTERNAL"),
    endpoints: fc.constantFrom([{ address: "10.9.0.1", serviceAccount: "db" }], [{ address: "10.9.0.2", labels: { version: "v1" } }]),
    workloadSelector: fc.record({ labels: selecting }),
    exportTo,
  },
  { requiredKeys: ["hosts", "ports", "resolution"] },
);

const destination = fc.record(
  { host, subset: fc.constantFrom("v1", "v2"), port: fc.constantFrom({ number: 80 }, { number: 5432 }) },
  { requiredKeys: ["host"] },
);

const virtualService = fc.record(
  {
    hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }),
    gateways: fc.constantFrom(["mesh"], ["istio-system/users"], ["mesh", "istio-system/users"]),
    exportTo,
    http: fc.array(
      fc.record(
        {
          match: fc.constantFrom([{ uri: { prefix: "/a" } }], [{ sourceLabels: { version: "v1" } }], [{ sourceNamespace: "data" }]),
          route: fc.array(fc.record({ destination }), { minLength: 1, maxLength: 1 }),
          timeout: fc.constantFrom("1s", "2s"),
        },
        { requiredKeys: ["route"] },
      ),
      { minLength: 1, maxLength: 2 },
    ),
    tcp: fc.constantFrom([{ route: [{ destination: { host: "db.data.svc.cluster.local", port: { number: 5432 } } }] }]),
  },
  { requiredKeys: ["hosts", "http"] },
);

const destinationRule = fc.record(
  {
    host,
    subsets: fc.constantFrom([{ name: "v1", labels: { version: "v1" } }], [{ name: "v2", labels: { version: "v2" } }]),
    trafficPolicy: fc.constantFrom(
      { tls: { mode: "DISABLE" } },
      { loadBalancer: { consistentHash: { httpHeaderName: "x-user" } } },
      { connectionPool: { tcp: { maxConnections: 5 } } },
    ),
    exportTo,
    workloadSelector: fc.record({ matchLabels: labels }),
  },
  { requiredKeys: ["host"] },
);

const gateway = fc.record({
  selector: fc.constant({ istio: "ingressgateway" }),
  servers: fc.constantFrom(
    [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
    [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["users.shop.svc.cluster.local"] }],
    [{ port: { number: 443, name: "tls", protocol: "TLS" }, tls: { mode: "PASSTHROUGH" }, hosts: ["*.example.com"] }],
  ),
});

const pod = fc.record({
  labels,
  address: fc.constantFrom("10.244.0.1", "10.244.0.2", "10.244.0.3", ""),
  hasSidecar: fc.constantFrom(true, true, false),
  isReady: fc.boolean(),
  phase: fc.constantFrom("Running", "Running", "Failed"),
});

const workloadEntry = fc.record(
  { address: fc.constantFrom("10.8.0.1", "10.8.0.2"), labels, serviceAccount: name, ports: fc.constant({ "tcp-db": 5433 }) },
  { requiredKeys: ["address"] },
);

const slice = fc.record({ of: name, pod: name, address: fc.constantFrom("10.244.0.1", "10.244.0.9"), isReady: fc.boolean() });

const peerAuthentication = fc.record(
  { selector, mtls: fc.record({ mode }), portLevelMtls: fc.record({ 5432: fc.record({ mode }) }) },
  { requiredKeys: ["mtls"] },
);

const authorizationPolicy = fc.record(
  {
    selector,
    action: fc.constantFrom("ALLOW", "DENY"),
    rules: fc.constantFrom([{}], [{ to: [{ operation: { methods: ["GET"] } }] }], [{ from: [{ source: { namespaces: ["data"] } }] }]),
  },
  { requiredKeys: ["action"] },
);

const meshConfig = fc.record(
  {
    outboundTrafficPolicy: fc.record({ mode: fc.constantFrom("ALLOW_ANY", "REGISTRY_ONLY") }),
    connectTimeout: fc.constantFrom("1s", "10s"),
  },
  { requiredKeys: [] },
);

const istio = (kind: string, spec: fc.Arbitrary<object>, group = "networking.istio.io/v1") =>
  fc.record({ name, namespace, created, spec }).map((own) => resource(group, kind, own, { spec: own.spec }));

const kinds: readonly fc.Arbitrary<Resource>[] = [
  fc
    .record({ name, namespace, created, spec: service, exported: fc.constantFrom(undefined, ".", "data") })
    .map((own) =>
      resource(
        "v1",
        "Service",
        { ...own, annotations: own.exported === undefined ? {} : { "networking.istio.io/exportTo": own.exported } },
        own,
      ),
    ),
  istio("ServiceEntry", serviceEntry),
  istio("VirtualService", virtualService),
  istio("DestinationRule", destinationRule),
  istio("Gateway", gateway),
  istio("WorkloadEntry", workloadEntry),
  istio("PeerAuthentication", peerAuthentication, "security.istio.io/v1"),
  istio("AuthorizationPolicy", authorizationPolicy, "security.istio.io/v1"),
  fc.record({ name, namespace, created, pod }).map(({ pod: own, ...rest }) =>
    resource(
      "v1",
      "Pod",
      { ...rest, labels: own.labels, annotations: own.hasSidecar ? { "sidecar.istio.io/status": "{}" } : {} },
      {
        spec: { serviceAccountName: rest.name, containers: [{ name: "app", ports: [{ name: "web", containerPort: 8080 }] }] },
        status: { podIP: own.address, phase: own.phase, conditions: [{ type: "Ready", status: own.isReady ? "True" : "False" }] },
      },
    ),
  ),
  fc.record({ name, namespace, created, slice }).map(({ slice: own, ...rest }) =>
    resource(
      "discovery.k8s.io/v1",
      "EndpointSlice",
      { ...rest, labels: { "kubernetes.io/service-name": own.of } },
      {
        addressType: "IPv4",
        ports: [{ name: "http", port: 8080 }],
        endpoints: [{ addresses: [own.address], conditions: { ready: own.isReady }, targetRef: { kind: "Pod", name: own.pod } }],
      },
    ),
  ),
  meshConfig.map((body) => resource("v1", "MeshConfig", { name: "users", namespace: "istio-system", created: "" }, body)),
];

const declared = fc.oneof(...kinds).map((own): ResourceEdit => ({ ref: refOf(own), resource: own }));
const KINDS = [
  "Service",
  "ServiceEntry",
  "VirtualService",
  "DestinationRule",
  "Gateway",
  "WorkloadEntry",
  "PeerAuthentication",
  "AuthorizationPolicy",
  "Pod",
  "EndpointSlice",
  "MeshConfig",
];
const removed = fc.record({ kind: fc.constantFrom(...KINDS), namespace, name }).map((ref): ResourceEdit => ({ ref, resource: undefined }));

interface Named {
  readonly name: string;
  readonly namespace: string;
  readonly created: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

function resource(
  apiVersion: string,
  kind: string,
  own: Named,
  { spec, ...rest }: { readonly spec?: unknown; readonly [key: string]: unknown },
) {
  const { labels: given = {}, annotations = {} } = own;
  const metadata = {
    name: own.name,
    namespace: own.namespace,
    labels: given,
    annotations,
    ...(own.created !== "" && { creationTimestamp: own.created }),
  };
  const { name: _name, namespace: _namespace, created: _created, exported: _exported, ...others } = rest;
  const body = { ...(spec !== undefined && { spec }), ...others };
  return Object.freeze({ apiVersion, kind, metadata, body, hash: stableHash({ apiVersion, kind, metadata, body }) });
}
