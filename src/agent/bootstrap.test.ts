import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBootstrap, nodeId, nodeMetadata } from "./bootstrap.ts";
import { defaultCacheDir, findEnvoy } from "./envoy-binary.ts";
import type { ProxySpec } from "./proxy-spec.ts";

const sidecar: ProxySpec = {
  namespace: "shop",
  name: "users-1",
  serviceAccount: "users",
  addresses: ["10.244.0.7"],
  type: "sidecar",
  capture: "redirect",
  labels: { app: "users", version: "v1" },
  cluster: "c1",
  network: "n1",
  locality: "eu/a/1",
  localPorts: { "b:80": 31_000 },
  localAddresses: { b: "127.70.0.1" },
  outsidePorts: { "c.com:443": 20_443 },
  dnsCapture: true,
  launch: [],
};

let dir: string;
let envoyPath: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "kboot-"));
  envoyPath = (await findEnvoy({ explicit: process.env["KUMIKO_ENVOY"], cacheDir: defaultCacheDir(process.env) })).path;
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const inputs = (spec: ProxySpec) => ({ spec, xdsSocket: join(dir, "x.sock"), adminSocket: join(dir, "a.sock"), maxConnections: 1000 });

test.each([
  { title: "a captured sidecar", spec: sidecar },
  { title: "a sidecar without capture", spec: { ...sidecar, capture: "none" as const } },
  { title: "a sidecar with a resolver of its own", spec: { ...sidecar, capture: "none" as const, resolver: "127.0.0.1:5353" } },
  { title: "a gateway", spec: { ...sidecar, type: "router" as const } },
])("Envoy accepts the bootstrap of $title without a warning", ({ spec }) => {
  const file = join(dir, "bootstrap.json");
  writeFileSync(file, JSON.stringify(makeBootstrap(inputs(spec))));
  const out = execFileSync(envoyPath, ["--mode", "validate", "-c", file, "--log-level", "warning"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  expect(out).toMatch(/^configuration '.*' OK\s*$/);
});

test("the node says what Istio's agent would say of the workload", () => {
  expect(nodeId(sidecar)).toBe("sidecar~10.244.0.7~users-1.shop~shop.svc.cluster.local");
  expect(makeBootstrap(inputs(sidecar))).toMatchObject({
    node: {
      locality: { region: "eu", zone: "a", sub_zone: "1" },
      metadata: {
        NAMESPACE: "shop",
        LABELS: { app: "users" },
        SERVICE_ACCOUNT: "users",
        INTERCEPTION_MODE: "REDIRECT",
        DNS_CAPTURE: "true",
      },
    },
  });
});

test("what changes with the services is told to the control plane, and is no part of what Envoy starts with", () => {
  expect(nodeMetadata(sidecar)).toMatchObject({
    NAMESPACE: "shop",
    KUMIKO_LOCAL_PORTS: { "b:80": 31_000 },
    KUMIKO_LOCAL_ADDRESSES: { b: "127.70.0.1" },
    KUMIKO_OUTSIDE_PORTS: { "c.com:443": 20_443 },
  });
  const { localPorts, localAddresses, outsidePorts } = { localPorts: {}, localAddresses: {}, outsidePorts: {} };
  expect(makeBootstrap(inputs({ ...sidecar, localPorts, localAddresses, outsidePorts }))).toEqual(makeBootstrap(inputs(sidecar)));
});

test("admin is a socket for its owner only, and the proxy's own traffic is marked only where something is captured", () => {
  expect(makeBootstrap(inputs(sidecar))).toMatchObject({
    admin: { address: { pipe: { path: join(dir, "a.sock"), mode: 0o600 } } },
    cluster_manager: { upstream_bind_config: { socket_options: [{ level: 1, name: 36, int_value: 1337 }] } },
  });
  expect(makeBootstrap(inputs({ ...sidecar, capture: "none" }))).not.toHaveProperty("cluster_manager");
});

test("a drain ends no WebSocket: only the end of its proxy does", () => {
  expect(JSON.stringify(makeBootstrap(inputs(sidecar)))).toContain('"envoy.reloadable_features.use_connection_event_drain":false');
});
