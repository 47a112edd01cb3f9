import { describe, expect, test } from "vitest";
import { meshView, onlyOutcome, requestOf, shortly } from "../testing/mesh-view.ts";
import { evaluate, type Request } from "./index.ts";

const pod = (name: string, address: string, app: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${app}, version: ${name} }, annotations: { sidecar.istio.io/status: "{}" } }
spec: { serviceAccountName: ${app}, containers: [{ name: app }] }
status: { podIP: ${address}, conditions: [{ type: Ready, status: "True" }] }
---`;

const MESH = `${pod("web", "10.244.0.8", "web")}${pod("db-1", "10.244.0.7", "db")}${pod("db-2", "10.244.0.9", "db")}
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: 10.96.0.7, selector: { app: db }, ports: [{ name: tcp-db, port: 5432 }, { name: tls-db, port: 5433 }, { name: tcp-deny, port: 5434 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: db, namespace: shop }
spec: { host: db, subsets: [{ name: one, labels: { version: db-1 } }, { name: two, labels: { version: db-2 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: db, namespace: shop }
spec:
  hosts: [db]
  tcp:
    - match: [{ port: 5432 }]
      route: [{ destination: { host: db, subset: one }, weight: 90 }, { destination: { host: db, subset: two }, weight: 10 }]
    - match: [{ port: 5434 }]
      route: [{ destination: { host: db, subset: one } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: shop }
spec: { hosts: [out.test, two.test], addresses: [240.240.0.9], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS, location: MESH_EXTERNAL }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny, namespace: shop }
spec: { selector: { matchLabels: { app: db } }, action: DENY, rules: [{ to: [{ operation: { ports: ["5434"] } }] }] }
`;

const options = {
  settings: { profile: "istio" },
  externals: { "out.test": "out.test", "two.test": "two.test" },
  tlsOf: (target: object, port: number) =>
    ("external" in target && port === 443) || port === 5433 ? { alpn: [], names: ["out.test"] } : undefined,
} as const;
const view = meshView(MESH, options);
const to = (port: number, more: Partial<Request> = {}) =>
  requestOf({ protocol: "tcp", destination: { address: "10.96.0.7", port }, ...more });
const tls = (sni: string) => ({ protocol: "tls" as const, tls: { sni, alpn: [] } });

describe("a connection of bytes", () => {
  test.each<{ title: string; given: Request; expected: readonly string[] }>([
    { title: "is shared out by weight", given: to(5432), expected: ["90% open db-1", "10% open db-2"] },
    { title: "is ended by a policy that denies the port", given: to(5434), expected: ["closed"] },
    { title: "of TLS that the application ends is passed on", given: to(5433, tls("db")), expected: ["open db-1", "open db-2"] },
    { title: "in plaintext to an application that wants TLS ends", given: to(5433), expected: ["closed", "closed"] },
    {
      title: "goes outside by its server name",
      given: to(443, { ...tls("out.test"), destination: { address: "240.240.0.9", port: 443 } }),
      expected: ["open out.test"],
    },
    { title: "to nobody's address ends", given: to(9, { destination: { address: "192.0.2.1", port: 9 } }), expected: ["closed"] },
  ])("$title", ({ given, expected }) => {
    const found = shortly(evaluate(given, view)).map((line) => line.replace("50% ", ""));
    expect(found).toEqual(expected);
  });

  test("arrives with the caller's identity, once", () => {
    const { outcomes } = evaluate(to(5432), view);
    expect(outcomes[0]?.outcome).toMatchObject({ kind: "open", principal: "spiffe://cluster.local/ns/shop/sa/web", tls: false });
  });

  test("that is ended names the policy", () => {
    expect(onlyOutcome(evaluate(to(5434), view)).because).toMatchObject([{ ref: { kind: "AuthorizationPolicy", name: "deny" } }]);
  });

  test("to an unknown address is ended where only the mesh's are known", () => {
    const closed = meshView(MESH, { ...options, settings: { profile: "zero-trust" }, externals: { "192.0.2.1": "somewhere" } });
    expect(shortly(evaluate(to(9, { destination: { address: "192.0.2.1", port: 9 } }), closed))).toEqual(["closed"]);
  });
});
