import { describe, expect, test } from "vitest";
import type { JsonPath } from "../model/position.ts";
import { checkDocument } from "./check-document.ts";

const OF_TEMPLATE = ["spec", "template", "metadata", "annotations"];
const OF_POD = ["metadata", "annotations"];
const containers = [{ name: "app", image: "u" }];

const deployment = (annotations: object) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "u" },
  spec: { selector: { matchLabels: { app: "u" } }, template: { metadata: { labels: { app: "u" }, annotations }, spec: { containers } } },
});
const pod = (annotations: object) => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "u", annotations }, spec: { containers } });

/** What is found, with the path as the file's name. */
function find(value: unknown) {
  const locate = (path: JsonPath) => ({ file: path.join(" "), line: 1, column: 1 });
  return checkDocument({ value, locate }).diagnostics.map(({ code, severity, message, position }) => [
    `${code} ${severity}`,
    message,
    position?.file,
  ]);
}

const service = (annotations: object) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "u", annotations },
  spec: { ports: [{ port: 80 }] },
});

describe("an annotation of Istio's that has no effect is told, of a Pod and of a template", () => {
  test.each([
    ["traffic.sidecar.istio.io/excludeOutboundPorts", "KMK1003 warning", "is not honoured yet"],
    ["proxy.istio.io/overrides", "KMK1003 warning", "is not honoured yet"],
    ["networking.istio.io/exportTo", "KMK1003 warning", "has no effect on a Pod"],
    ["sidecar.istio.io/proxyCPU", "KMK1003 info", "has an effect on Kubernetes only"],
    ["istio.io/rev", "KMK1003 info", "has an effect on Kubernetes only"],
    ["istio.io/reroute-virtual-interfaces", "KMK1003 warning", "is not honoured yet"],
    ["istio.io/dry-run", "KMK1003 warning", "has no effect on a Pod"],
  ])("%s", (name, severity, what) => {
    const message = `annotation ${name} ${what}`;
    expect(find(deployment({ [name]: "x" }))).toEqual([[severity, message, [...OF_TEMPLATE, name].join(" ")]]);
    expect(find(pod({ [name]: "x" }))).toEqual([[severity, message, [...OF_POD, name].join(" ")]]);
  });

  test.each(["sidecar.istio.io/inject", "example.com/proxy.istio.io", "notistio.io/x"])("%s isn't", (name) => {
    expect(find(deployment({ [name]: "x" }))).toEqual([]);
  });

  test.each([
    ["inject.istio.io/templates", "sidecar"],
    ["inject.istio.io/templates", "gateway"],
    ["sidecar.istio.io/rewriteAppHTTPProbers", "true"],
  ])("%s isn't where its value, %s, is what is done", (name, text) => {
    expect(find(deployment({ [name]: text }))).toEqual([]);
  });

  test.each([
    ["grpc-agent", "grpc-agent is not honoured yet: the Pod gets an ordinary sidecar"],
    ["sidecar, spire", "spire is not honoured yet: the Pod gets an ordinary sidecar"],
    ["gateway,spire", "spire is not honoured yet: the Pod gets an ordinary gateway's proxy"],
  ])("inject.istio.io/templates is where it names the template %s", (text, what) => {
    const name = "inject.istio.io/templates";
    expect(find(pod({ [name]: text }))).toEqual([["KMK1003 warning", `annotation ${name}: ${what}`, [...OF_POD, name].join(" ")]]);
  });

  test("sidecar.istio.io/rewriteAppHTTPProbers is where it asks that probes go to the proxy", () => {
    expect(find(pod({ "sidecar.istio.io/rewriteAppHTTPProbers": "false" }))).toHaveLength(1);
  });

  test("but where it belongs", () => {
    expect(find(service({ "networking.istio.io/exportTo": "*" }))).toEqual([]);
    const misplaced = deployment({});
    const message = "annotation proxy.istio.io/config has no effect on a Deployment";
    const metadata = { name: "u", annotations: { "proxy.istio.io/config": "no: [yaml" } };
    expect(find({ ...misplaced, metadata })).toEqual([["KMK1003 warning", message, "metadata annotations proxy.istio.io/config"]]);
  });

  test("and not again of each Pod that a controller made of a template", () => {
    const made = pod({ "proxy.istio.io/config": "concurrency: 2", "proxy.istio.io/overrides": "x" });
    const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "u-1", uid: "1" }];
    expect(find({ ...made, metadata: { ...made.metadata, ownerReferences } })).toEqual([]);
  });
});

describe("a label of Istio's that has no effect is told", () => {
  const labelled = (labels: object) => ({ ...pod({}), metadata: { name: "u", labels } });

  test.each([
    ["istio.io/dataplane-mode", "KMK1003 warning", "is not honoured yet"],
    ["networking.istio.io/tunnel", "KMK1003 warning", "is not honoured yet"],
    ["istio.io/rev", "KMK1003 info", "has an effect on Kubernetes only"],
    ["service.istio.io/canonical-name", "KMK1003 info", "has an effect on Kubernetes only"],
  ])("%s", (name, severity, what) => {
    expect(find(labelled({ [name]: "x" }))).toEqual([[severity, `label ${name} ${what}`, `metadata labels ${name}`]]);
  });

  test.each(["sidecar.istio.io/inject", "security.istio.io/tlsMode", "topology.istio.io/network", "topology.istio.io/cluster", "istio"])(
    "%s isn't",
    (name) => {
      expect(find(labelled({ [name]: "x" }))).toEqual([]);
    },
  );

  test("but where it belongs", () => {
    const misplaced = { ...deployment({}), metadata: { name: "u", labels: { "topology.istio.io/network": "a" } } };
    const message = "label topology.istio.io/network has no effect on a Deployment";
    expect(find(misplaced)).toEqual([["KMK1003 warning", message, "metadata labels topology.istio.io/network"]]);
  });
});

describe("a policy on trial", () => {
  const policy = (kind: string, text: string) => ({
    apiVersion: "security.istio.io/v1",
    kind,
    metadata: { name: "p", annotations: { "istio.io/dry-run": text } },
  });

  test.each(["true", "True", "1", "false", "F"])("is an AuthorizationPolicy that says %s", (text) => {
    expect(find(policy("AuthorizationPolicy", text))).toEqual([]);
  });

  test.each(["yes", "", "tRUE"])("is in force where it can't be read, and that is said: %j", (text) => {
    expect(find(policy("AuthorizationPolicy", text)).map(([code, message]) => [code, message])).toEqual([
      ["KMK1003 warning", 'annotation istio.io/dry-run is neither "true" nor "false": the policy is in force'],
    ]);
  });

  test.each(["PeerAuthentication", "RequestAuthentication", "VirtualService"])("is no %s, and that is said", (kind) => {
    const apiVersion = kind === "VirtualService" ? "networking.istio.io/v1" : "security.istio.io/v1";
    const said = find({ ...policy(kind, "true"), apiVersion }).map(([, message]) => message);
    expect(said).toContain(`annotation istio.io/dry-run has no effect on a ${kind}`);
  });
});

describe("the ProxyConfig of a Pod", () => {
  const NAME = "proxy.istio.io/config";
  const of = (text: string) => find(deployment({ [NAME]: text })).map(([code, message]) => `${code}: ${message}`);

  test.each([
    "holdApplicationUntilProxyStarts: true",
    "gatewayTopology: { numTrustedProxies: 2 }",
    '{"gatewayTopology": {"numTrustedProxies": 2}}',
    "gateway_topology: { num_trusted_proxies: '2' }",
    "gatewayTopology: { numTrustedProxies: 1 }\ngatewayTopology: { numTrustedProxies: 2 }",
    "gatewayTopology:",
    "terminationDrainDuration: 20s",
    "termination_drain_duration: 0s",
    "proxyMetadata: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true', MINIMUM_DRAIN_DURATION: 10s }",
    "",
  ])("passes without a word (row %#)", (text) => {
    expect(of(text)).toEqual([]);
  });

  test.each([
    ["concurrency: '2'", "KMK1003 warning", "concurrency is not honoured yet"],
    ["drainDuration: 45", "KMK1003 warning", "drainDuration is not honoured yet"],
    ["holdApplicationUntilProxyStarts: false", "KMK1003 warning", "holdApplicationUntilProxyStarts is not honoured yet"],
    [`caCertificatesPem: ["${"x".repeat(9000)}"]`, "KMK1003 warning", "caCertificatesPem is not honoured yet"],
    ["gatewayTopology: { proxyProtocol: {} }", "KMK1003 warning", "gatewayTopology.proxyProtocol is not honoured yet"],
    ["proxyMetadata: { ISTIO_META_DNS_CAPTURE: 'true' }", "KMK1003 warning", "proxyMetadata.ISTIO_META_DNS_CAPTURE is not honoured yet"],
    ["terminationDrainDuration: 20", "KMK1001 error", "terminationDrainDuration must be a duration"],
    ["proxyMetadata: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: maybe }", "KMK1001 error", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS must be"],
    ["proxyMetadata: { MINIMUM_DRAIN_DURATION: 5 }", "KMK1001 error", "MINIMUM_DRAIN_DURATION must be a duration"],
    ["gatewayTopolgy: {}", "KMK1002 warning", "gatewayTopolgy is unknown"],
    ["gatewayTopology: { numTrustedProxy: 1 }", "KMK1002 warning", "gatewayTopology.numTrustedProxy is unknown"],
    ["gatewayTopology: { numTrustedProxies: many }", "KMK1001 error", "gatewayTopology.numTrustedProxies"],
    ["gatewayTopology: { numTrustedProxies: -1 }", "KMK1001 error", "gatewayTopology.numTrustedProxies"],
    ["[1]", "KMK1001 error", "is no YAML object"],
    ["a: b: c", "KMK1001 error", "is no YAML: Nested mappings"],
    ["!!binary aGVsbG8=", "KMK1001 error", "is no YAML object"],
    [
      "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c]",
      "KMK1001 error",
      "Excessive alias count",
    ],
    ["[".repeat(16_000), "KMK1001 error", "is no YAML"],
    [`# ${"x".repeat(17_000)}\n{}`, "KMK1001 error", "is longer than"],
  ])("is checked (row %#)", (text, code, message) => {
    const [found, ...more] = of(text);
    expect(more).toEqual([]);
    expect(found).toMatch(new RegExp(`^${code}: annotation proxy.istio.io/config`));
    expect(found).toContain(message);
  });

  test("is complained of twenty times at most", () => {
    expect(of(Array.from({ length: 500 }, (_, i) => `x${i}: 1`).join("\n"))).toHaveLength(20);
  });
});
