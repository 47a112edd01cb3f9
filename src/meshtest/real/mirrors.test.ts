import { beforeAll, expect, test } from "vitest";
import { arrival, inbound, outbound, response, shop } from "../../testing/lab-exchange.ts";
import { loadMeshTests } from "../../testing/load-mesh-test.ts";
import { TestIssuers } from "../issuers.ts";
import { TestMesh } from "../test-mesh.ts";
import { haveMirrorsCome } from "./mirrors.ts";

const TEST = `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: t, namespace: shop}
spec:
  workloads: [{name: web, ports: [8080]}, {name: cart, labels: {app: cart}, ports: [8080]}, {name: copy, labels: {app: copy}, ports: [8080]}]
  calls: [{from: {workload: web}, request: {url: "http://cart:8080/"}, expect: {status: 200}}]
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: copy}
spec: {selector: {app: copy}, ports: [{name: http, port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec:
  hosts: [cart]
  http:
    - {match: [{uri: {prefix: /all}}], route: [{destination: {host: cart}}], mirror: {host: copy}}
    - {match: [{uri: {prefix: /some}}], route: [{destination: {host: cart}}], mirror: {host: copy}, mirrorPercentage: {value: 50}}
    - {route: [{destination: {host: cart}}]}
`;

let mesh: TestMesh;

beforeAll(async () => {
  const [file] = await loadMeshTests({ "t.yaml": TEST });
  mesh = new TestMesh(file!.tests[0]!, new TestIssuers());
});

const by = (route: number) => outbound({ route: `route/8080 virtualHosts[0].routes[${route}]` });
const copied = arrival({ at: "shop/copy" }, { authority: "cart-shadow:8080" });
const refused = inbound({ workload: shop("copy"), status: 403, authority: "cart-shadow:8080" });

test.each([
  { title: "a route without mirrors", log: [by(2), inbound()], arrivals: [arrival()], come: true },
  { title: "a copy that has not come yet", log: [by(0), inbound()], arrivals: [arrival()], come: false },
  { title: "a copy that has come", log: [by(0), inbound()], arrivals: [arrival(), copied], come: true },
  { title: "a copy that was refused", log: [by(0), inbound(), refused], arrivals: [arrival()], come: true },
  { title: "one of two copies", log: [by(0), by(0)], arrivals: [copied], come: false },
  { title: "copies of a share only, which nobody can wait for", log: [by(1)], arrivals: [arrival()], come: true },
])("$title", ({ log, arrivals, come }) => {
  expect(haveMirrorsCome({ reports: [response(200)], arrivals, log }, mesh)).toBe(come);
});
