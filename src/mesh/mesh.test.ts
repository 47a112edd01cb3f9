import { describe, expect, test } from "vitest";
import { refOf } from "../model/resource.ts";
import { meshOf, resourcesOf, router, sidecar } from "../testing/mesh.ts";
import { scopeFor, Scopes } from "./index.ts";

const users = `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec:
  selector: { app: users }
  ports: [{ port: 80, name: http, targetPort: web }, { port: 9000, name: grpc-x }, { port: 3306 }, { port: 7000 }]
---
apiVersion: v1
kind: Pod
metadata:
  { name: users-1, namespace: shop, labels: { app: users, version: v1 }, annotations: { sidecar.istio.io/status: "{}", kumiko.dev/sidecar-ports: '{"8080": 31001}' } }
spec: { serviceAccountName: users, containers: [{ name: a, ports: [{ name: web, containerPort: 8080 }] }] }
status: { podIP: 10.244.0.7, conditions: [{ type: Ready, status: "True" }] }
`;

describe("services", () => {
  const mesh = meshOf(users);
  const service = mesh.services.find("users.shop.svc.cluster.local", "other")!;

  test("a Service without clusterIP gets an address of 10.96.0.0/16, always the same", () => {
    expect(service.allocatedAddress).toMatch(/^10\.96\./);
    expect(meshOf(users).services.find(service.host, "shop")?.allocatedAddress).toBe(service.allocatedAddress);
  });

  test("a port's protocol is its name up to the dash; nameless ports are told by their bytes unless the server speaks first", () => {
    expect(service.ports.map(({ protocol }) => protocol)).toEqual(["http", "grpc", "tcp", "auto"]);
  });

  test("an endpoint's port is found by the target port's name, and its sidecar's port beside it", () => {
    const [endpoint] = mesh.endpoints.of(service).endpoints;
    expect(endpoint?.ports.get(80)).toEqual({ port: 8080, sidecarPort: 31001 });
    expect(endpoint?.identity).toBe("spiffe://cluster.local/ns/shop/sa/users");
    expect(endpoint?.hasSidecar).toBe(true);
  });

  test("exportTo hides a service from other namespaces", () => {
    const hidden = meshOf(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec: { hosts: [api.example.com], exportTo: ["."], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }
`);
    expect(hidden.services.find("api.example.com", "shop")?.allocatedAddress).toMatch(/^240\.240\./);
    expect(hidden.services.find("api.example.com", "other")).toBeUndefined();
  });

  test("a ServiceEntry for another namespace's Service serves its own namespace alone, and is told so", () => {
    const mixed = meshOf(`${users}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: fake, namespace: evil }
spec: { hosts: [users.shop.svc.cluster.local], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.0.0.66 }] }
`);
    expect(mixed.services.find("users.shop.svc.cluster.local", "other")?.kind).toBe("kubernetes");
    expect(mixed.services.find("users.shop.svc.cluster.local", "evil")?.kind).toBe("service-entry");
    expect(mixed.findings.map(({ code, origin }) => [code, origin.ref.name])).toEqual([["KMK3003", "fake"]]);
  });
});

test("the services of a workload are those of its namespace that select it, the oldest first, each once", () => {
  const service = (name: string, created: string, namespace = "shop", app = "users") => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace}, creationTimestamp: "${created}" }
spec: { selector: { app: ${app} }, ports: [{ port: 8080 }] }
---`;
  const mesh = meshOf(`${service("b-newer", "2026-02-01T00:00:00Z")}${service("c-older", "2026-01-01T00:00:00Z")}
${service("elsewhere", "2025-01-01T00:00:00Z", "other")}${service("of-others", "2025-01-01T00:00:00Z", "shop", "carts")}${users}`);
  const own = mesh.ownServices.of({ namespace: "shop", name: "users-1" });
  expect(own.map(({ service: { name } }) => name)).toEqual(["c-older", "b-newer", "users"]);
  expect(new Set(own.map(({ endpoint }) => endpoint.address))).toEqual(new Set(["10.244.0.7"]));
  expect(mesh.ownServices.of({ namespace: "shop", name: "users-2" })).toEqual([]);
});

describe("a host that belongs to another namespace", () => {
  test.each(["users.shop", "users.shop.svc", "new.shop.svc.cluster.local", "*.shop.svc.cluster.local", "*.svc.cluster.local", "*.local"])(
    "%s is served for the claimant's own clients alone, and it is told so; Istio's profile lets it",
    (host) => {
      const yaml = `${users}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: fake, namespace: evil }
spec: { hosts: ["${host}"], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 10.0.0.66 }] }
`;
      const mesh = meshOf(yaml);
      expect(mesh.services.find(host, "other")).toBeUndefined();
      expect(mesh.services.find(host, "evil")?.namespace).toBe("evil");
      expect(mesh.findings.map(({ code, origin }) => [code, origin.ref.name])).toEqual([["KMK3003", "fake"]]);
      expect(meshOf(yaml, { profile: "istio" }).services.find(host, "other")?.namespace).toBe("evil");
    },
  );
});

const rules = (namespace: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: ${namespace} }
spec: { hosts: [users.shop.svc.cluster.local], http: [{ route: [{ destination: { host: elsewhere } }] }] }
`;

describe("VirtualServices", () => {
  test.each([
    { title: "the host's own namespace routes it mesh-wide", namespace: "shop", profile: "zero-trust", client: "other", found: true },
    { title: "another namespace routes it for itself", namespace: "evil", profile: "zero-trust", client: "evil", found: true },
    { title: "another namespace doesn't route it for others", namespace: "evil", profile: "zero-trust", client: "other", found: false },
    { title: "in Istio's profile it does", namespace: "evil", profile: "istio", client: "other", found: true },
  ] as const)("$title", ({ namespace, profile, client, found }) => {
    const mesh = meshOf(`${users}---${rules(namespace)}`, { profile });
    expect(scopeFor(mesh, sidecar({ namespace: client })).virtualServiceFor("users.shop.svc.cluster.local") !== undefined).toBe(found);
    expect(mesh.findings.some(({ code }) => code === "KMK3003")).toBe(namespace === "evil" && profile === "zero-trust");
  });
});

describe("DestinationRules", () => {
  const rule = (name: string, namespace: string, subset: string) => `
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: ${namespace} }
spec: { host: users.shop.svc.cluster.local, subsets: [{ name: ${subset}, labels: { version: ${subset} } }] }
`;
  const lookup = (namespace: string) => ({ client: { namespace, labels: {} }, service: "shop" });

  test("the client's namespace wins over the service's, that one over the root namespace", () => {
    const mesh = meshOf(users + rule("a", "istio-system", "root") + rule("a", "shop", "own") + rule("a", "client", "mine"));
    const subsetFor = (client: string) => mesh.destinationRules.find("users.shop.svc.cluster.local", lookup(client))?.subsets[0]?.name;
    expect([subsetFor("client"), subsetFor("other")]).toEqual(["mine", "own"]);
    const root = meshOf(users + rule("a", "istio-system", "root"));
    expect(root.destinationRules.find("users.shop.svc.cluster.local", lookup("other"))?.subsets[0]?.name).toBe("root");
  });

  test("two of one namespace for one host are merged", () => {
    const mesh = meshOf(users + rule("a", "shop", "v1") + rule("b", "shop", "v2"));
    expect(mesh.destinationRules.find("users.shop.svc.cluster.local", lookup("x"))?.subsets.map(({ name }) => name)).toEqual(["v1", "v2"]);
  });
});

describe("scopeFor", () => {
  const mesh = meshOf(users);
  const scopes = new Scopes();
  const base = scopes.of(mesh, sidecar());

  test.each([
    { field: "name", over: { name: "users-2" }, shared: true },
    { field: "id", over: { id: "sidecar~1~2~3" }, shared: true },
    { field: "addresses", over: { addresses: ["10.244.0.99"] }, shared: true },
    { field: "labels that no rule reads", over: { labels: { app: "other" } }, shared: true },
    { field: "serviceAccount", over: { serviceAccount: "other" }, shared: true },
    { field: "cluster", over: { cluster: "other" }, shared: true },
    { field: "network", over: { network: "other" }, shared: true },
    { field: "locality", over: { locality: "other" }, shared: true },
    { field: "version", over: { version: "1.41.0" }, shared: true },
    { field: "type", over: { type: "router" }, shared: false },
    { field: "namespace", over: { namespace: "other" }, shared: false },
    { field: "capture", over: { capture: "none" }, shared: false },
    { field: "localPorts", over: { localPorts: { "a:1": 2 } }, shared: false },
    { field: "localAddresses", over: { localAddresses: { a: "127.70.0.1" } }, shared: false },
    { field: "outsidePorts", over: { outsidePorts: { "a:1": 2 } }, shared: false },
    { field: "dnsCapture", over: { dnsCapture: false }, shared: false },
  ] as const)("another $field: shared $shared", ({ over, shared }) => {
    expect(scopes.of(mesh, sidecar(over)) === base).toBe(shared);
  });

  test("labels count as soon as a rule reads them", () => {
    const reading = meshOf(`${users}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: shop }
spec: { hosts: [users], http: [{ match: [{ sourceLabels: { app: users } }], route: [{ destination: { host: users } }] }] }
`);
    expect(scopes.of(reading, sidecar({ labels: { app: "other" } }))).not.toBe(scopes.of(reading, sidecar()));
  });

  test("an edit that a proxy doesn't see leaves its scope the very same, one that it sees makes another", () => {
    const edited = (yaml: string) => mesh.with(resourcesOf(yaml).map((resource) => ({ ref: refOf(resource), resource })));
    const policy = "{ apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: { name: a, namespace: shop } }";
    const hidden =
      "{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: a, namespace: other }, spec: { hosts: [a.example.com], exportTo: ['.'], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS } }";
    for (const unseen of [policy, hidden]) expect(scopes.of(edited(unseen), sidecar())).toBe(base);
    expect(scopes.of(edited(hidden.replace("'.'", "'*'")), sidecar())).not.toBe(base);
  });

  test("a gateway binds the target port of the Service in front of it", () => {
    const gateway = meshOf(`
apiVersion: v1
kind: Service
metadata: { name: gateway, namespace: istio-system }
spec: { selector: { istio: ingressgateway }, ports: [{ port: 443, name: https, targetPort: 8443 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: gateway-1, namespace: istio-system, labels: { istio: ingressgateway } }
spec: { containers: [{ name: proxy }] }
status: { podIP: 10.244.0.2 }
`);
    expect(scopeFor(gateway, router()).proxy.targetPorts).toEqual({ 443: 8443 });
  });
});

describe("the hops that a gateway trusts", () => {
  const mesh = (annotation: string | undefined, ofMesh: number) =>
    meshOf(`
apiVersion: v1
kind: Pod
metadata: { name: edge-1, namespace: shop${annotation === undefined ? "" : `, annotations: { proxy.istio.io/config: ${JSON.stringify(annotation)} }`} }
spec: { containers: [{ name: a }] }
status: { podIP: 10.244.0.7 }
---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: istio, namespace: istio-system }
defaultConfig: { gatewayTopology: { numTrustedProxies: ${ofMesh} } }
`);
  const edge = { name: "edge-1", namespace: "shop", addresses: ["10.244.0.7"] };

  test.each([
    [undefined, 1],
    ["gatewayTopology: { numTrustedProxies: 2 }", 2],
    ["gateway_topology: { num_trusted_proxies: '3' }", 3],
    ["gatewayTopology: { forwardClientCertDetails: SANITIZE }", 0],
    ["gatewayTopology: {}", 0],
    ["gatewayTopology: { numTrustedProxies: null }", 0],
    ["gatewayTopology: null", 1],
    ["concurrency: 2", 1],
  ])("are the Pod's own where it says anything of its topology: %s", (annotation, hops) => {
    expect(scopeFor(mesh(annotation, 1), router(edge)).proxy.trustedHops).toBe(hops);
    expect(scopeFor(mesh(annotation, 1), sidecar(edge)).proxy.trustedHops).toBe(0);
  });
});
