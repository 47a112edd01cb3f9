import { expect, test } from "vitest";
import type { Cluster as EnvoyCluster } from "../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { meshOf, sidecar } from "../../testing/mesh.ts";
import { scopeFor } from "../../mesh/index.ts";
import { toServiceClusters } from "../istio/cluster.ts";
import { toEnvoyCluster } from "./cluster.ts";
import { toHttpFilters } from "./filter-order.ts";
import { OUTBOUND_SLOTS } from "../../ir/policy-slots.ts";

test.each([
  { role: "outbound", last: ["envoy.filters.http.set_filter_state", "envoy.filters.http.router"] },
  { role: "gateway", last: ["envoy.filters.http.set_filter_state", "envoy.filters.http.router"] },
  { role: "inbound", last: ["kumiko.outbound.extensions", "envoy.filters.http.router"] },
] as const)("who sends HTTP on to other workloads says so in TLS: $role", ({ role, last }) => {
  const names = toHttpFilters({ role, slots: OUTBOUND_SLOTS }).map(({ name }) => name);
  expect(names.slice(-2)).toEqual(last);
});

test.each(["istio", "zero-trust"] as const)("in profile %s only a cluster of no declared protocol has words for HTTP", (profile) => {
  const mesh = meshOf(
    `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { selector: { app: users }, ports: [{ name: http, port: 80 }, { name: tcp, port: 5432 }, { name: any, port: 7000 }] }`,
    { profile },
  );
  const scope = scopeFor(mesh, sidecar());
  const [service] = scope.services.values();
  if (service === undefined) throw new Error("no service");
  const endpoints = scope.endpointsOf(service);
  const inputs = {
    service,
    rule: undefined,
    endpoints,
    settings: mesh.settings,
    proxyType: "sidecar",
    capture: "redirect",
    outsidePorts: {},
  } as const;
  const words = toServiceClusters(inputs).clusters.map((cluster) => {
    const { metadata } = toEnvoyCluster(cluster, { maxConnectionDurationMs: 0 }).message as EnvoyCluster;
    return [cluster.name, metadata?.filterMetadata["kumiko"]];
  });
  expect(words).toEqual([
    ["outbound|80||users.shop.svc.cluster.local", undefined],
    ["outbound|5432||users.shop.svc.cluster.local", undefined],
    ["outbound|7000||users.shop.svc.cluster.local", { alpn_of_http: "istio-http/1.1,istio" }],
  ]);
});
