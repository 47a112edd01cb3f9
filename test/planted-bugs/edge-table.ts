import type { Case } from "../../src/testing/agreement.ts";

/** Hosts, policies and paths that the first tables of agreement don't tell apart. */
export const EDGES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: test }
spec:
  hosts: [users.test.svc.cluster.local, "*.wild.test"]
  gateways: [mesh, public]
  http:
    - match: [{ uri: { exact: /exact } }]
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v2 } }]
    - match: [{ uri: { exact: /anew } }]
      headers: { request: { set: { x-anew: "1" }, remove: [x-anew] } }
      route: [{ destination: { host: users.test.svc.cluster.local, subset: v1 } }]
    - route: [{ destination: { host: users.test.svc.cluster.local, subset: v1 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: deep, namespace: test }
spec:
  hosts: ["*.deep.wild.test"]
  gateways: [public]
  http: [{ route: [{ destination: { host: users.test.svc.cluster.local, subset: v2 } }] }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny, namespace: test }
spec:
  selector: { matchLabels: { app: users } }
  action: DENY
  rules:
    - to: [{ operation: { methods: [PUT], notPaths: [/put] } }]
    - to: [{ operation: { paths: ["*.env"] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow, namespace: test }
spec:
  selector: { matchLabels: { app: users } }
  rules:
    - to: [{ operation: { methods: [GET, PUT] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: gateway, namespace: test }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  rules: [{}]
`;

export const EDGE_CASES: readonly Case[] = [
  { by: "gateway", host: "a.wild.test", path: "/" },
  { by: "gateway", host: "a.deep.wild.test", path: "/" },
  { by: "gateway", host: "deep.wild.test", path: "/" },
  { by: "gateway", host: "a.wild.test", path: "/x/%2e%2e/exact" },
  { by: "sidecar", path: "/x/%2E%2e/exact" },
  { by: "sidecar", path: "/put", method: "PUT" },
  { by: "sidecar", path: "/put/", method: "PUT" },
  { by: "sidecar", path: "/.env" },
  { by: "sidecar", path: "/.env/x" },
  { by: "sidecar", path: "/", method: "POST" },
  { by: "sidecar", path: "/anew", headers: [["x-anew", "0"]] },
];
