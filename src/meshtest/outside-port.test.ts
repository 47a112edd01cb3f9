import { expect, test } from "vitest";
import { loadMeshTests } from "../testing/load-mesh-test.ts";
import { TestIssuers } from "./issuers.ts";
import { TestMesh } from "./test-mesh.ts";

const entry = (name: string, spec: string) => `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}}
spec: {${spec}}
`;
const FILE = `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: t, namespace: shop}
spec:
  workloads: [{name: web, labels: {app: web}, ports: [8080]}]
  calls:
    - {name: a, from: {workload: web}, request: {url: "https://Called.test:6000/"}, expect: {status: 200}}
    - {name: b, from: {workload: web}, request: {url: "tls://192.0.2.1:6001"}, expect: {connection: open}}
    - {name: c, from: {workload: web}, request: {url: "https://plain.test:8080/"}, expect: {status: 200}}
${entry("plain", "hosts: [plain.test], resolution: DNS, ports: [{number: 8080, name: http, protocol: HTTP}, {number: 8443, name: tcp, protocol: TCP}]")}
${entry("secure", 'hosts: ["*.secure.test"], ports: [{number: 7000, name: tls, protocol: TLS}, {number: 7001, name: https, protocol: HTTPS}]')}
${entry("moved", "hosts: [moved.test], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP, targetPort: 9443}]")}
${entry("said", "hosts: [said.test], resolution: DNS, ports: [{number: 443, name: http, protocol: HTTP}]")}
${entry("range", "hosts: [range.test], addresses: [10.82.0.0/16], ports: [{number: 9443, name: tcp, protocol: TCP}, {number: 9000, name: tls, protocol: TLS}]")}
${entry("pinned", "hosts: [pinned.test], resolution: STATIC, endpoints: [{address: 198.51.100.7}], ports: [{number: 9000, name: tls, protocol: TLS}]")}
`;

const mesh = await (async () => {
  const [file] = await loadMeshTests({ "t.yaml": FILE });
  const loaded = file?.tests[0];
  if (loaded === undefined) throw new Error(JSON.stringify(file?.errors));
  return new TestMesh(loaded, new TestIssuers());
})();

test.each([
  { what: "443 of nobody", host: "any.test", port: 443, tls: true },
  { what: "a port that ends so", host: "any.test", port: 8443, tls: true },
  { what: "any other port of nobody", host: "any.test", port: 8080, tls: false },
  { what: "a port that is declared as plaintext", host: "plain.test", port: 8080, tls: false },
  { what: "one that is, though it ends so", host: "plain.test", port: 8443, tls: false },
  { what: "another port of a declared host", host: "plain.test", port: 9999, tls: false },
  { what: "a port that is declared as TLS", host: "a.secure.test", port: 7000, tls: true },
  { what: "or HTTPS", host: "a.secure.test", port: 7001, tls: true },
  { what: "the target of a port of plaintext, by its number", host: "moved.test", port: 9443, tls: true },
  { what: "that port itself", host: "moved.test", port: 80, tls: false },
  { what: "443 of an application that is told to speak plaintext", host: "said.test", port: 443, tls: true },
  { what: "what a call names in TLS", host: "called.test", port: 6000, tls: true },
  { what: "the same port elsewhere", host: "any.test", port: 6000, tls: false },
  { what: "an address that a call names in TLS", host: "192.0.2.1", port: 6001, tls: true },
  { what: "an address in a range that is declared as plaintext", host: "10.82.3.3", port: 9443, tls: false },
  { what: "an address in a range that is declared as TLS", host: "10.82.3.3", port: 9000, tls: true },
  { what: "an address beside it", host: "10.83.3.3", port: 9000, tls: false },
  { what: "an endpoint of a port of TLS", host: "198.51.100.7", port: 9000, tls: true },
])("$what: $host:$port speaks TLS: $tls, and nothing else", ({ host, port, tls }) => {
  expect(mesh.tlsOf({ external: host }, port)).toEqual(tls ? { alpn: ["h2", "http/1.1"], names: [host] } : undefined);
});
