import { X509Certificate } from "node:crypto";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type { Cluster } from "../../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { RouteConfiguration } from "../../gen/envoy/config/route/v3/route_pb.js";
import { UpstreamTlsContextSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { loadMeshTests } from "../../testing/load-mesh-test.ts";
import { begin } from "../begin.ts";
import { TestIssuers } from "../issuers.ts";
import { WorkloadNames } from "../names.ts";
import { TestMesh } from "../test-mesh.ts";
import { TestAuthorities } from "./authorities.ts";
import { toClientOrders } from "./to-client-orders.ts";
import { toLabMesh } from "./to-lab-mesh.ts";

const HEAD = `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: t, namespace: shop}
spec:
  workloads:
    - {name: web, labels: {app: web}, ports: [8080]}
    - {name: cart-v1, labels: {app: cart, version: v1}, ports: [8080]}
    - {name: cart-v2, labels: {app: cart, version: v2}, ports: [8080]}
    - {name: database, labels: {app: database}, ports: [3306, 8443]}
    - {name: legacy, labels: {app: legacy, sidecar.istio.io/inject: "false"}, ports: [8080]}
    - {name: edge, labels: {app: edge}, ports: [8080, 8443]}
`;
const DOCUMENTS = `---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {selector: {app: database}, ports: [{name: db, appProtocol: mysql, port: 3306}, {name: tls, port: 8443}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart}
spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec:
  hosts: [cart]
  http:
    - {name: same, match: [{uri: {prefix: /new}}], route: [{destination: {host: cart, subset: v2}}]}
    - {name: same, route: [{destination: {host: cart, subset: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec: {hosts: [api.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP, targetPort: 443}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api}
spec: {host: api.example.com, trafficPolicy: {tls: {mode: SIMPLE}}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {app: edge}
  servers: [{port: {number: 8443, name: https, protocol: HTTPS}, hosts: [shop.example.com], tls: {mode: MUTUAL, credentialName: shop}}]
`;

async function labOf(...calls: readonly string[]) {
  const lines = calls.map((call) => `    - {${call}, expect: {status: 200}}\n`);
  const [file] = await loadMeshTests({ "t.yaml": `${HEAD}  calls:\n${lines.join("")}${DOCUMENTS}` });
  expect(file?.errors).toEqual([]);
  const loaded = file!.tests[0]!;
  const issuers = new TestIssuers();
  const authorities = new TestAuthorities(Date.now());
  const mesh = new TestMesh(loaded, issuers, { certificateFor: authorities.secretFor });
  const names = new WorkloadNames(mesh.workloads, "shop");
  const begun = loaded.test.calls.map((call) => {
    const how = begin(call, { mesh, names }, { issuers, nowMs: Date.now() });
    return { call, beginnings: "beginnings" in how ? how.beginnings : [] };
  });
  const requests = begun.flatMap(({ beginnings }) => beginnings.map(({ request }) => request));
  const orders = begun.map(({ call, beginnings }) => toClientOrders(call, beginnings, mesh, authorities));
  return { lab: toLabMesh(mesh, requests, authorities), orders, authorities, mesh };
}

const TO_CART = 'from: {workload: web}, request: {url: "http://cart/"}';
const TO_API = 'from: {workload: web}, request: {url: "http://api.example.com/"}';

describe("a mesh as it runs in a lab", () => {
  test("has what the calls touch, and what the same virtual host could send to", async () => {
    const { lab } = await labOf(TO_CART);
    expect(lab.pods.map(({ workload, role, proxy }) => [workload.name, role, proxy?.type])).toEqual([
      ["web", "sidecar", "sidecar"],
      ["cart-v1", "sidecar", "sidecar"],
      ["cart-v2", "sidecar", "sidecar"],
    ]);
    expect(lab.outside).toEqual([]);
  });

  test("has no program behind a gateway, and no proxy where there is none", async () => {
    const { lab } = await labOf(
      'from: {gateway: edge}, request: {url: "https://shop.example.com:8443/"}',
      'from: {outside: legacy}, request: {url: "http://legacy:8080/"}',
    );
    const byName = new Map(lab.pods.map((pod) => [pod.workload.name, pod]));
    expect(byName.get("edge")).toMatchObject({ role: "gateway", ports: [] });
    expect(byName.get("legacy")).toMatchObject({ role: "none", ports: [{ port: 8080, as: "shop/legacy" }] });
    expect(byName.get("legacy")?.proxy).toBeUndefined();
    expect(lab.clients).toEqual(["203.0.113.10"]);
  });

  test("has ports that end TLS themselves and those on which the server speaks first", async () => {
    const { lab } = await labOf(
      'from: {workload: web}, request: {url: "tcp://database:3306"}',
      'from: {workload: web}, request: {url: "tls://database:8443"}',
    );
    const [mysql, tls] = lab.pods.find(({ workload }) => workload.name === "database")?.ports ?? [];
    expect(mysql).toEqual({ port: 3306, as: "shop/database", greeting: "mysql of shop/database\n" });
    expect(new X509Certificate(tls?.tls?.chainPem ?? "").checkHost("database.shop.svc.cluster.local")).toBeDefined();
  });

  test("has the hosts outside, once for each address and port, with certificates that stand for the system's roots", async () => {
    const { lab, authorities, mesh } = await labOf(TO_API);
    const address = mesh.addresses.outside("api.example.com");
    expect(lab.names).toEqual({ "api.example.com": address });
    expect(lab.outside.map(({ address: at, port, as }) => `${at}:${port} ${as}`)).toEqual([`${address}:443 external:api.example.com`]);
    const root = new X509Certificate(authorities.serverRootPem);
    expect(new X509Certificate(lab.outside[0]?.tls?.chainPem ?? "").verify(root.publicKey)).toBe(true);
    const proxy = lab.pods[0]!.proxy!;
    const cluster = lab.snapshotFor(proxy).get("cluster")?.get("outbound|80||api.example.com")?.message as Cluster;
    const config = cluster.transportSocket?.configType;
    const tls = config?.case === "typedConfig" ? anyUnpack(config.value, UpstreamTlsContextSchema) : undefined;
    const context = tls?.commonTlsContext?.validationContextType;
    const trusted = context?.case === "validationContext" ? context.value.trustedCa?.specifier : undefined;
    expect(trusted).toEqual({ case: "inlineString", value: authorities.serverRootPem });
  });

  test("names each route by its place, so that a log tells two of one name apart", async () => {
    const { lab } = await labOf(TO_CART);
    const table = lab.snapshotFor(lab.pods[0]!.proxy!).get("route")?.get("80")?.message as RouteConfiguration;
    const index = table.virtualHosts.findIndex(({ name }) => name.startsWith("cart."));
    expect(table.virtualHosts[index]?.routes.map(({ name }) => name)).toEqual([
      `route/80 virtualHosts[${index}].routes[0]`,
      `route/80 virtualHosts[${index}].routes[1]`,
    ]);
  });

  test("gives the same snapshot for the same proxy", async () => {
    const { lab } = await labOf(TO_CART);
    expect(lab.snapshotFor(lab.pods[0]!.proxy!)).toBe(lab.snapshotFor(lab.pods[0]!.proxy!));
  });
});

describe("what a client is told to send", () => {
  test("starts in the workload, with path, headers and body as they are", async () => {
    const { orders } = await labOf(
      'from: {workload: web}, request: {url: "http://cart/a?b=c", method: PUT, headers: {x-a: ["1", "2"], host: other}, body: text}',
    );
    expect(orders[0]?.sender).toEqual({ workload: { namespace: "shop", name: "web" } });
    expect(orders[0]?.orders).toHaveLength(1);
    expect(orders[0]?.orders[0]).toMatchObject({
      ...{ protocol: "http1", method: "PUT", authority: "other", path: "/a?b=c", body: "text" },
      headers: [
        ["x-a", "1"],
        ["x-a", "2"],
      ],
    });
    expect(orders[0]?.orders[0]).not.toHaveProperty("localAddress");
  });

  test("comes from the address that the call names", async () => {
    const { orders } = await labOf('from: {outside: legacy, clientIp: 198.51.100.4}, request: {url: "http://legacy:8080/"}');
    expect(orders[0]).toMatchObject({ sender: "outside", orders: [{ localAddress: "198.51.100.4" }] });
  });

  test.each([
    { certificate: "valid", uri: "spiffe://cluster.local/ns/shop/sa/client", trusted: true, expired: false },
    { certificate: "wrong-ca", uri: "spiffe://cluster.local/ns/shop/sa/client", trusted: false, expired: false },
    { certificate: "expired", uri: "spiffe://cluster.local/ns/shop/sa/client", trusted: true, expired: true },
    { certificate: "spiffe://cluster.local/ns/shop/sa/web", uri: "spiffe://cluster.local/ns/shop/sa/web", trusted: true, expired: false },
  ])("shows the certificate $certificate", async ({ certificate, uri, trusted, expired }) => {
    const { orders, authorities } = await labOf(
      `from: {gateway: edge, clientCert: "${certificate}"}, request: {url: "https://shop.example.com:8443/"}`,
    );
    const shown = new X509Certificate(orders[0]?.orders[0]?.tls?.chainPem ?? "");
    expect(shown.subjectAltName).toBe(`URI:${uri}`);
    expect(shown.verify(new X509Certificate(authorities.clientRootPem).publicKey)).toBe(trusted);
    expect(shown.validToDate.getTime() < Date.now()).toBe(expired);
    expect(orders[0]?.orders[0]?.tls).toMatchObject({ sni: "shop.example.com", alpn: ["http/1.1"] });
  });

  test("goes to every endpoint in turn where no proxy chooses one, and at least once to each", async () => {
    const one = 'from: {workload: legacy}, request: {url: "http://cart/"';
    const { orders } = await labOf(`${one}}`, `${one}, repeat: 5}`);
    expect(orders.map((each) => each.orders.length)).toEqual([2, 5]);
    expect(new Set(orders[0]?.orders.map(({ destination }) => destination.address)).size).toBe(2);
  });
});
