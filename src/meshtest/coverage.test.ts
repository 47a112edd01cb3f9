import { expect, test } from "vitest";
import { loadMeshTests } from "../testing/load-mesh-test.ts";
import { runTests } from "./run.ts";

const TEST = `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: t, namespace: shop}
spec:
  workloads: [{name: web, labels: {app: web}, ports: [8080]}, {name: cart, labels: {app: cart}, ports: [8080]}]
  calls:
    - {name: reads, from: {workload: web}, request: {url: "http://cart:8080/a"}, expect: {status: 200}}
    - {name: deletes, from: {workload: web}, request: {url: "http://cart:8080/a", method: DELETE}, expect: {status: 403}}
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec:
  hosts: [cart]
  http:
    - match: [{uri: {prefix: /never}}]
      route: [{destination: {host: cart}}]
    - route: [{destination: {host: cart}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart}
spec:
  action: DENY
  rules:
    - to: [{operation: {methods: [DELETE]}}]
    - to: [{operation: {methods: [TRACE]}}]
`;

async function coverageOf(filter?: string) {
  const files = await loadMeshTests({ "t.yaml": TEST });
  return (await runTests(files, { nowMs: 0, coverage: true, ...(filter !== undefined && { filter }) })).coverage;
}

test("coverage lists each route and rule by its line, and whether a call reached it", async () => {
  const { items, percent } = await coverageOf();
  expect(items.map(({ kind, position, isReached }) => `${position.file}:${position.line} ${kind} ${isReached}`)).toEqual([
    "t.yaml:21 route false",
    "t.yaml:23 route true",
    "t.yaml:31 policy rule true",
    "t.yaml:32 policy rule false",
  ]);
  expect(percent).toBe(50);
});

test("a call that is not run reaches nothing", async () => {
  expect((await coverageOf("reads")).percent).toBe(25);
});
