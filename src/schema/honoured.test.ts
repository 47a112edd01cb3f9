import { expect, test } from "vitest";
import { checkDocument } from "./check-document.ts";
import { apiVersionOf, kinds } from "./kinds.ts";

function document(name: string, spec: object): object {
  const apiVersion = kinds.filter(({ kind }) => kind === name).map(apiVersionOf)[0];
  return { apiVersion, kind: name, metadata: { name: "users", namespace: "shop" }, spec };
}

test.each([
  [
    "of Istio's",
    document("DestinationRule", { host: "users", trafficPolicy: { tls: { mode: "SIMPLE", caCrl: "crl" } } }),
    "spec.trafficPolicy.tls.caCrl is not honoured yet: certificates that were withdrawn are taken",
  ],
  [
    "of Kubernetes'",
    document("Service", { ports: [{ port: 80 }], loadBalancerSourceRanges: ["10.0.0.0/8"] }),
    "spec.loadBalancerSourceRanges is not honoured yet: every address may connect",
  ],
  [
    "of a Pod's",
    document("Pod", {
      containers: [{ name: "app" }],
      initContainers: [{ name: "a", volumeMounts: [{ name: "v", mountPath: "/v", subPathExpr: "b" }] }],
    }),
    "spec.initContainers[0].volumeMounts[0].subPathExpr is not honoured yet: the mount is left out",
  ],
  [
    "of a container's",
    document("Pod", { containers: [{ name: "app", volumeMounts: [{ name: "v", mountPath: "/v", subPathExpr: "a" }] }] }),
    "spec.containers[0].volumeMounts[0].subPathExpr is not honoured yet: the mount is left out",
  ],
  [
    "of a volume's",
    document("Pod", { containers: [{ name: "app" }], volumes: [{ name: "v", hostPath: { path: "/c" } }] }),
    "spec.volumes[0].hostPath is not honoured yet: the volume is left out, and where it is mounted there is nothing",
  ],
])("a field %s without which something stands open or is missing is a warning that says what", (_, value, message) => {
  const { diagnostics } = checkDocument({ value, locate: () => ({ file: "mesh.yaml", line: 1, column: 1 }) });
  expect(diagnostics.map((found) => [found.code, found.severity, found.message])).toEqual([["KMK1003", "warning", message]]);
});
