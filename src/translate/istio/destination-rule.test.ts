import { describe, expect, test } from "vitest";
import { scopeFor } from "../../mesh/index.ts";
import { meshOf, sidecar } from "../../testing/mesh.ts";
import { toServiceClusters } from "./cluster.ts";

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { selector: { app: users }, ports: [{ port: 80, name: http }, { port: 81, name: tcp }] }
---
apiVersion: v1
kind: Pod
metadata: { name: users-1, namespace: shop, labels: { app: users, version: v1 }, annotations: { sidecar.istio.io/status: "{}" } }
spec: { serviceAccountName: users, containers: [{ name: a }] }
status: { podIP: 10.244.0.7, conditions: [{ type: Ready, status: "True" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: users-2, namespace: shop, labels: { app: users, version: v2 }, annotations: { sidecar.istio.io/status: "{}" } }
spec: { serviceAccountName: canary, containers: [{ name: a }] }
status: { podIP: 10.244.0.8, conditions: [{ type: Ready, status: "False" }] }
---
`;

function clusters(rule: string, profile: "zero-trust" | "istio" = "zero-trust") {
  const spec =
    rule === ""
      ? ""
      : `\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: users, namespace: shop }\nspec: { host: users, ${rule} }\n`;
  const scope = scopeFor(meshOf(SERVICE + spec, { profile }), sidecar());
  const service = scope.services.get("users.shop.svc.cluster.local")!;
  const inputs = {
    service,
    rule: scope.ruleFor(service),
    endpoints: scope.endpointsOf(service),
    settings: scope.settings,
    proxyType: "sidecar",
    capture: "redirect",
    outsidePorts: {},
  } as const;
  const translated = toServiceClusters(inputs);
  return {
    by: new Map(translated.clusters.map((cluster) => [cluster.name.replace("users.shop.svc.cluster.local", ""), cluster])),
    ...translated,
  };
}

describe("traffic policies", () => {
  test.each([
    {
      title: "the rule's holds for all ports",
      rule: "trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } }",
      name: "outbound|81||",
      limit: 1,
    },
    {
      title: "a port's replaces it",
      rule: "trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } }, portLevelSettings: [{ port: { number: 81 }, connectionPool: { tcp: { maxConnections: 2 } } }] }",
      name: "outbound|81||",
      limit: 2,
    },
    {
      title: "what a port's settings leave out is at its default, not the rule's",
      rule: "trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } }, portLevelSettings: [{ port: { number: 81 }, tls: { mode: DISABLE } }] }",
      name: "outbound|81||",
      limit: undefined,
    },
    {
      title: "a subset's replaces the rule's, field by field",
      rule: "trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } }, subsets: [{ name: v1, trafficPolicy: { connectionPool: { tcp: { maxConnections: 3 } } } }]",
      name: "outbound|80|v1|",
      limit: 3,
    },
    {
      title: "a subset keeps what it doesn't replace",
      rule: "trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } }, subsets: [{ name: v1, trafficPolicy: { tls: { mode: DISABLE } } }]",
      name: "outbound|80|v1|",
      limit: 1,
    },
  ])("$title", ({ rule, name, limit }) => {
    expect(clusters(rule).by.get(name)?.circuitBreaker?.maxConnections).toBe(limit);
  });

  test("outlier detection has Istio's defaults", () => {
    expect(clusters("trafficPolicy: { outlierDetection: { consecutive5xxErrors: 3 } }").by.get("outbound|80||")?.outlierDetection).toEqual({
      consecutive5xx: 3,
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionPercent: 10,
      minHealthPercent: 0,
    });
  });
});

describe("secure naming", () => {
  const names = (cluster: ReturnType<typeof clusters>["clusters"][number] | undefined) =>
    cluster?.tls?.kind === "auto" ? cluster.tls.mutual.names : cluster?.tls?.kind === "always" ? cluster.tls.tls.names : undefined;

  test("the peer must be one of the service's identities, ready or not, whatever the subset", () => {
    const expected = [
      { kind: "exact", value: "spiffe://cluster.local/ns/shop/sa/canary" },
      { kind: "exact", value: "spiffe://cluster.local/ns/shop/sa/users" },
    ];
    const { by } = clusters("subsets: [{ name: v1, labels: { version: v1 } }]");
    expect([names(by.get("outbound|80||")), names(by.get("outbound|80|v1|"))]).toEqual([expected, expected]);
  });

  test("a service without workloads accepts a name that nobody can have", () => {
    const scope = scopeFor(
      meshOf("apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: shop }\nspec: { ports: [{ port: 80, name: http }] }"),
      sidecar(),
    );
    const service = [...scope.services.values()][0]!;
    const { clusters: made } = toServiceClusters({
      service,
      rule: undefined,
      endpoints: scope.endpointsOf(service),
      settings: scope.settings,
      proxyType: "sidecar",
      capture: "redirect",
      outsidePorts: {},
    });
    expect(names(made[0])).toEqual([{ kind: "exact", value: "spiffe://cluster.local/ns/shop/sa/" }]);
  });

  test("only Istio's profile lets plaintext go to endpoints without a sidecar", () => {
    expect(clusters("").by.get("outbound|80||")?.tls).toMatchObject({ kind: "auto", plaintextAllowed: false });
    expect(clusters("", "istio").by.get("outbound|80||")?.tls).toMatchObject({ kind: "auto", plaintextAllowed: true });
    expect(clusters("trafficPolicy: { tls: { mode: DISABLE } }").by.get("outbound|80||")?.tls).toBeUndefined();
  });

  test.each([
    { title: "client certificates from files", tls: "{ mode: MUTUAL, clientCertificate: /c, privateKey: /k }" },
    { title: "a credential at a sidecar", tls: "{ mode: SIMPLE, credentialName: c }" },
  ])("$title: refused rather than spoken to without", ({ tls }) => {
    const { by, findings } = clusters(`trafficPolicy: { tls: ${tls} }`);
    expect(by.get("outbound|80||")?.discovery.kind).toBe("black-hole");
    expect(findings.map(({ code }) => code)).toContain("KMK1003");
  });
});

test("only ready endpoints get requests", () => {
  const { endpoints } = clusters("subsets: [{ name: v2, labels: { version: v2 } }]");
  const addresses = endpoints.map(({ cluster, localities }) => [
    cluster.split("|")[2],
    localities.flatMap((locality) => locality.endpoints.map(({ address }) => address)),
  ]);
  expect(addresses.slice(0, 2)).toEqual([
    ["", ["10.244.0.7"]],
    ["v2", []],
  ]);
});
