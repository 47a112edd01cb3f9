import { create, type Message } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { Cluster_DiscoveryType, ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { HealthStatus } from "../gen/envoy/config/core/v3/health_check_pb.js";
import { ClusterLoadAssignmentSchema } from "../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../gen/envoy/config/route/v3/route_pb.js";
import { HttpConnectionManagerSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { TcpProxySchema } from "../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { Origin } from "../model/origin.ts";
import { fakeBackend } from "../testing/admin-backend.ts";
import type { EnvoyResource, ResourceType, Snapshot } from "../translate/envoy/resource.ts";
import { readMesh } from "./mesh-routes.ts";

const origin = (name: string, ...path: readonly (string | number)[]): readonly Origin[] => [
  { ref: { kind: "VirtualService", namespace: "shop", name }, path },
];

function resource(
  type: ResourceType,
  name: string,
  message: Message,
  origins: Readonly<Record<string, readonly Origin[]>> = {},
): EnvoyResource {
  return { type, name, version: "1", bytes: new Uint8Array(), message, references: [], origins: new Map(Object.entries(origins)) };
}

function snapshotOf(resources: readonly EnvoyResource[]): Snapshot {
  const snapshot = new Map<ResourceType, Map<string, EnvoyResource>>();
  for (const one of resources) snapshot.set(one.type, (snapshot.get(one.type) ?? new Map()).set(one.name, one));
  return snapshot;
}

async function view(
  name: string,
  resources: readonly EnvoyResource[],
  configDump: unknown = {},
): Promise<readonly Record<string, unknown>[]> {
  const locate = ({ ref, path }: Origin) =>
    ref.name === "gone" ? undefined : { file: `${ref.name}.yaml`, line: path.length + 1, column: 1 };
  const backend = fakeBackend({ configs: { "shop/users-1": { type: "sidecar", snapshot: snapshotOf(resources), locate } }, configDump });
  const { body } = await readMesh(backend, ["v1", "proxies", "shop", "users-1", name]);
  return (body as { readonly items: readonly Record<string, unknown>[] }).items;
}

describe("routes", () => {
  const table = create(RouteConfigurationSchema, {
    name: "80",
    virtualHosts: [
      {
        name: "reviews:80",
        domains: ["reviews", "reviews.shop"],
        routes: [
          {
            name: "canary",
            match: {
              pathSpecifier: { case: "pathSeparatedPrefix", value: "/api" },
              headers: [
                {
                  name: "x-user",
                  headerMatchSpecifier: { case: "stringMatch", value: { matchPattern: { case: "exact", value: "alice" } } },
                },
              ],
            },
            action: {
              case: "route",
              value: {
                clusterSpecifier: {
                  case: "weightedClusters",
                  value: {
                    clusters: [
                      { name: "v1", weight: 90 },
                      { name: "v2", weight: 10 },
                    ],
                  },
                },
              },
            },
          },
          {
            match: { pathSpecifier: { case: "prefix", value: "/old" } },
            action: {
              case: "redirect",
              value: { hostRedirect: "new.example.com", pathRewriteSpecifier: { case: "pathRedirect", value: "/" } },
            },
          },
          { match: { pathSpecifier: { case: "path", value: "/health" } }, action: { case: "directResponse", value: { status: 204 } } },
          {
            match: { pathSpecifier: { case: "safeRegex", value: { regex: "/u/\\d+" } } },
            action: { case: "route", value: { clusterSpecifier: { case: "cluster", value: "v1" } } },
          },
        ],
      },
      { name: "block", domains: ["*"], routes: [] },
    ],
  });

  test("say what is matched, where it goes, and which line says so", async () => {
    const rows = await view("routes", [
      resource("route", "80", table, {
        "": origin("whole"),
        "virtualHosts[0]": origin("reviews", "spec"),
        "virtualHosts[0].routes[0]": origin("reviews", "spec", "http", 0),
        "virtualHosts[1]": origin("gone"),
      }),
    ]);
    expect(rows.map(({ match, target, source }) => [match, target, source])).toEqual([
      ["prefix /api (whole segments), header x-user=alice", "v1 (90), v2 (10)", "reviews.yaml:4"],
      ["prefix /old", "redirect new.example.com/", "reviews.yaml:2"],
      ["exact /health", "respond 204", "reviews.yaml:2"],
      ["regex /u/\\d+", "v1", "reviews.yaml:2"],
      ["", "none: 404", ""],
    ]);
    expect(rows[0]).toMatchObject({
      table: "80",
      virtualHost: "reviews:80",
      name: "canary",
      domains: ["reviews", "reviews.shop"],
      resource: "VirtualService/shop/reviews",
    });
  });

  test("that stand within a listener are shown too", async () => {
    const manager = create(HttpConnectionManagerSchema, {
      routeSpecifier: { case: "routeConfig", value: { ...table, name: "inbound|8080||" } },
    });
    const listener = create(ListenerSchema, {
      name: "virtualInbound",
      filterChains: [
        { filters: [{ name: "http", configType: { case: "typedConfig", value: anyPack(HttpConnectionManagerSchema, manager) } }] },
      ],
    });
    const rows = await view("routes", [resource("listener", "virtualInbound", listener, { "filterChains[0]": origin("inbound") })]);
    expect(rows).toHaveLength(5);
    expect(rows[0]).toMatchObject({ table: "inbound|8080||", source: "inbound.yaml:1" });
  });
});

test("clusters are taken apart by Istio's name", async () => {
  const eds = create(ClusterSchema, {
    name: "outbound|80|v2|users.shop.svc.cluster.local",
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    transportSocketMatches: [{ name: "mtls" }],
  });
  const own = create(ClusterSchema, {
    name: "BlackHoleCluster",
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
  });
  expect(await view("clusters", [resource("cluster", eds.name, eds, { "": origin("users") }), resource("cluster", own.name, own)])).toEqual(
    [
      {
        cluster: "BlackHoleCluster",
        host: "BlackHoleCluster",
        port: "",
        subset: "",
        direction: "",
        discovery: "STATIC",
        tls: "plaintext",
        resource: "",
        source: "",
      },
      {
        cluster: eds.name,
        host: "users.shop.svc.cluster.local",
        port: "80",
        subset: "v2",
        direction: "outbound",
        discovery: "EDS",
        tls: "by endpoint",
        resource: "VirtualService/shop/users",
        source: "users.yaml:1",
      },
    ],
  );
});

test("listeners have a row a chain", async () => {
  const tcp = anyPack(TcpProxySchema, create(TcpProxySchema, { clusterSpecifier: { case: "cluster", value: "PassthroughCluster" } }));
  const http = anyPack(
    HttpConnectionManagerSchema,
    create(HttpConnectionManagerSchema, { routeSpecifier: { case: "rds", value: { routeConfigName: "80" } } }),
  );
  const listener = create(ListenerSchema, {
    name: "virtualInbound",
    address: { address: { case: "socketAddress", value: { address: "0.0.0.0", portSpecifier: { case: "portValue", value: 15006 } } } },
    filterChains: [
      {
        name: "a",
        filterChainMatch: { destinationPort: 8080, transportProtocol: "tls", serverNames: ["*.example.com"] },
        filters: [{ name: "http", configType: { case: "typedConfig", value: http } }],
      },
    ],
    defaultFilterChain: { filters: [{ name: "tcp", configType: { case: "typedConfig", value: tcp } }] },
  });
  const rows = await view("listeners", [
    resource("listener", "virtualInbound", listener, { "": origin("whole"), defaultFilterChain: origin("fallback") }),
  ]);
  expect(rows.map(({ address, match, target, source }) => [address, match, target, source])).toEqual([
    ["0.0.0.0:15006", "port 8080, sni *.example.com, tls", "route 80", "whole.yaml:1"],
    ["0.0.0.0:15006", "what no other chain takes", "cluster PassthroughCluster", "fallback.yaml:1"],
  ]);
});

test("endpoints come from EDS and from clusters that carry their own", async () => {
  const address = (text: string, port: number) => ({
    address: { case: "socketAddress" as const, value: { address: text, portSpecifier: { case: "portValue" as const, value: port } } },
  });
  const lbEndpoint = (text: string, port: number, healthStatus = HealthStatus.UNKNOWN) => ({
    hostIdentifier: { case: "endpoint" as const, value: { address: address(text, port) } },
    healthStatus,
  });
  const eds = create(ClusterLoadAssignmentSchema, {
    clusterName: "users",
    endpoints: [
      {
        locality: { region: "eu", zone: "a" },
        lbEndpoints: [lbEndpoint("10.244.0.7", 8080), lbEndpoint("fd00::1", 80, HealthStatus.UNHEALTHY)],
      },
    ],
  });
  const cluster = create(ClusterSchema, {
    name: "outside",
    loadAssignment: { clusterName: "outside", endpoints: [{ lbEndpoints: [lbEndpoint("db.example.com", 5432)] }] },
  });
  const rows = await view("endpoints", [
    resource("endpoint", "users", eds, { "": origin("users") }),
    resource("cluster", "outside", cluster, { "": origin("db") }),
  ]);
  expect(rows.map(({ cluster: name, address: at, health, locality, source }) => [name, at, health, locality, source])).toEqual([
    ["users", "10.244.0.7:8080", "HEALTHY", "eu/a", "users.yaml:1"],
    ["users", "[fd00::1]:80", "UNHEALTHY", "eu/a", "users.yaml:1"],
    ["outside", "db.example.com:5432", "HEALTHY", "", "db.yaml:1"],
  ]);
});

describe("secrets", () => {
  test("are named with what is known of their certificates, and no key", async () => {
    const dump = {
      configs: [
        {
          "@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump",
          dynamic_active_secrets: [
            {
              name: "default",
              secret: {
                tls_certificate: {
                  certificate_chain: { inline_string: "not a certificate" },
                  private_key: { inline_string: "secret-planted" },
                },
              },
            },
          ],
          dynamic_warming_secrets: [{ name: "ROOTCA" }],
        },
      ],
    };
    const rows = await view("secrets", [], dump);
    expect(rows).toMatchObject([
      { name: "default", type: "certificate", state: "active", notAfter: "" },
      { name: "ROOTCA", type: "other", state: "warming" },
    ]);
    expect(JSON.stringify(rows)).not.toContain("secret-planted");
  });
});

describe("what isn't there", () => {
  const backend = fakeBackend();
  test.each([
    { path: ["v1", "proxies", "shop", "none", "routes"], message: 'no proxy of a workload "none"' },
    { path: ["v1", "proxies", "shop", "none", "dump"], message: 'no proxy of a workload "none"' },
    { path: ["v1", "proxies", "shop", "none", "constructor"], message: 'no view "constructor"' },
    { path: ["v1", "proxies", "shop", "none"], message: 'no proxy of a workload "none"' },
    { path: ["v1", "nothing"], message: "there is v1/status" },
    { path: ["v2", "status"], message: "there is v1/status" },
    { path: ["v1", "status", "more"], message: "there is v1/status" },
  ])("$path", async ({ path, message }) => {
    await expect(readMesh(backend, path)).rejects.toThrow(message);
  });
});
