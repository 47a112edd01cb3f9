import { describe, expect, test } from "vitest";
import { type MeshSettingsOptions, scopeFor } from "../../mesh/index.ts";
import { meshOf, router } from "../../testing/mesh.ts";
import { Memo } from "../memo.ts";
import { toGateway } from "./gateway.ts";

const gateway = (namespace: string, hosts = '["*"]', port = 8080) => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: public, namespace: ${namespace} }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: ${port}, name: http, protocol: HTTP }, hosts: ${hosts} }]
---`;

const routes = (namespace: string, of: string) => `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: ${namespace} }
spec: { ports: [{ port: 80, name: http }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: ${namespace} }
spec: { hosts: [shop.test], gateways: [${of}], http: [{ match: [{ uri: { prefix: /${namespace} } }], route: [{ destination: { host: web } }] }] }
---`;

function opened(yaml: string, options: MeshSettingsOptions = {}) {
  const { listeners, routeTables, findings } = toGateway(
    scopeFor(meshOf(yaml, options), router({ namespace: "edge" })),
    new Set(),
    new Memo(),
  );
  return {
    ports: listeners.map(({ port }) => port),
    paths: routeTables.flatMap(({ virtualHosts }) => virtualHosts.flatMap((host) => host.routes.map(({ match }) => match.path.value))),
    findings: findings.map(({ code, origin }) => `${code} ${origin.ref.kind} ${origin.ref.namespace}`),
  };
}

describe("Gateways of several namespaces", () => {
  const both =
    gateway("edge") + routes("shop", "edge/public") + gateway("aaa", '["*"]', 8081) + gateway("aaa-too") + routes("aaa-too", "public");

  test("only the proxies' own namespace, and the root one, open their ports; another is told that its Gateway has no effect", () => {
    expect(opened(both)).toEqual({ ports: [8080], paths: ["/shop"], findings: ["KMK3003 Gateway aaa", "KMK3003 Gateway aaa-too"] });
    expect(opened(gateway("istio-system")).ports).toEqual([8080]);
  });

  test("in Istio's profile the selector alone decides", () => {
    expect(opened(both, { profile: "istio" })).toMatchObject({ paths: ["/aaa-too", "/shop"], findings: [] });
  });

  test("a host that several namespaces route is said, unless the Gateway says whose it is", () => {
    const claims = routes("shop", "edge/public") + routes("aaa", "edge/public");
    expect(opened(gateway("edge") + claims).findings).toEqual(["KMK2007 VirtualService shop"]);
    expect(opened(gateway("edge", "[shop/shop.test]") + claims)).toMatchObject({ paths: ["/shop"], findings: [] });
  });
});
