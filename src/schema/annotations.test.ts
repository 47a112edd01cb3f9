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

describe("an annotation of Istio's that has no effect is told, of a Pod and of a template", () => {
  test.each([
    ["traffic.sidecar.istio.io/excludeOutboundPorts", "KMK1003 warning", "is not honoured yet"],
    ["proxy.istio.io/overrides", "KMK1003 warning", "is not honoured yet"],
    ["sidecar.istio.io/proxyCPU", "KMK1003 info", "has an effect on Kubernetes only"],
  ])("%s", (name, severity, what) => {
    const message = `annotation ${name} ${what}`;
    expect(find(deployment({ [name]: "x" }))).toEqual([[severity, message, [...OF_TEMPLATE, name].join(" ")]]);
    expect(find(pod({ [name]: "x" }))).toEqual([[severity, message, [...OF_POD, name].join(" ")]]);
  });

  test.each(["sidecar.istio.io/inject", "inject.istio.io/templates", "istio.io/rev", "example.com/proxy.istio.io", "notistio.io/x"])(
    "%s isn't",
    (name) => {
      expect(find(deployment({ [name]: "x" }))).toEqual([]);
    },
  );
});

describe("the ProxyConfig of a Pod", () => {
  const NAME = "proxy.istio.io/config";
  const of = (text: string) => find(deployment({ [NAME]: text })).map(([code, message]) => `${code}: ${message}`);

  test.each([
    "holdApplicationUntilProxyStarts: true",
    "gatewayTopology: { numTrustedProxies: 2 }",
    '{"gatewayTopology": {"numTrustedProxies": 2}}',
    "",
  ])("passes without a word: %s", (text) => {
    expect(of(text)).toEqual([]);
  });

  test.each([
    ["concurrency: 2", "KMK1003 warning", "concurrency is not honoured yet"],
    ["gatewayTopology: { proxyProtocol: {} }", "KMK1003 warning", "gatewayTopology.proxyProtocol is not honoured yet"],
    ["gatewayTopolgy: {}", "KMK1002 warning", "unknown field gatewayTopolgy"],
    ["gatewayTopology: { numTrustedProxies: many }", "KMK1001 error", "gatewayTopology.numTrustedProxies"],
    ["gatewayTopology: { numTrustedProxies: -1 }", "KMK1001 error", "gatewayTopology.numTrustedProxies"],
    ["[1]", "KMK1001 error", "is no YAML object"],
    ["a: b: c", "KMK1001 error", "is no YAML object"],
    ["a: &a [x]\nb: *a", "KMK1001 error", "is no YAML object"],
    ["[".repeat(8000), "KMK1001 error", "is no YAML object"],
    [`# ${"x".repeat(9000)}\n{}`, "KMK1001 error", "is no YAML object"],
  ])("is checked (row %#)", (text, code, message) => {
    const [found, ...more] = of(text);
    expect(more).toEqual([]);
    expect(found).toMatch(new RegExp(`^${code}: annotation proxy.istio.io/config`));
    expect(found).toContain(message);
  });
});
