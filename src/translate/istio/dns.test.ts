import { describe, expect, test } from "vitest";
import { meshOf } from "../../testing/mesh.ts";
import { toDnsTable } from "./dns.ts";

const mesh = meshOf(`
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { clusterIP: 10.96.0.7, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: peers, namespace: other }
spec: { clusterIP: None, selector: { app: peers }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: peers-0, namespace: other, labels: { app: peers } }
spec: { containers: [{ name: app }] }
status: { podIP: 10.244.0.9, conditions: [{ type: Ready, status: "True" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: peers-1, namespace: other, labels: { app: peers } }
spec: { containers: [{ name: app }] }
status: { podIP: 10.244.0.10, conditions: [{ type: Ready, status: "False" }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: shop }
spec: { hosts: [api.example.com], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: DNS }
`);

const table = toDnsTable({
  namespace: "shop",
  services: mesh.services.visibleFrom("shop").values(),
  endpointsOf: (service) => mesh.endpoints.of(service),
  settings: mesh.settings,
});
const addressesOf = (name: string) => table.entries.find(({ names }) => names.includes(name))?.addresses;

describe("toDnsTable", () => {
  test.each(["users", "users.shop", "users.shop.svc", "users.shop.svc.cluster.local"])(
    "a service of the own namespace is known as %s",
    (name) => {
      expect(addressesOf(name)).toEqual(["10.96.0.7"]);
    },
  );

  test("one of another namespace is not known by its bare name", () => {
    expect(addressesOf("peers")).toBeUndefined();
  });

  test("a headless service has the addresses of its ready endpoints", () => {
    expect(addressesOf("peers.other")).toEqual(["10.244.0.9"]);
  });

  test("an outside host has an address of the mesh's own choice", () => {
    expect(addressesOf("api.example.com")).toEqual([expect.stringMatching(/^240\.240\./)]);
  });
});
