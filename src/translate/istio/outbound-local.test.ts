import { expect, test } from "vitest";
import { scopeFor } from "../../mesh/index.ts";
import type { Proxy } from "../../model/proxy.ts";
import { meshOf, sidecar } from "../../testing/mesh.ts";
import { toServiceClusters } from "./cluster.ts";
import { localListeners } from "./outbound-local.ts";

const MESH = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: shop }
spec:
  hosts: [db.test]
  resolution: DNS
  ports: [{ number: 443, name: tls, protocol: TLS }, { number: 5432, name: tcp, protocol: TCP }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: replicas, namespace: shop }
spec:
  hosts: [replicas.test]
  resolution: DNS
  ports: [{ number: 5432, name: tcp, protocol: TCP, targetPort: 1000 }]
  endpoints: [{ address: One.db.test }, { address: two.db.test, ports: { tcp: 5433 } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: fixed, namespace: shop }
spec:
  hosts: [fixed.test]
  resolution: STATIC
  ports: [{ number: 5432, name: tcp, protocol: TCP, targetPort: 1000 }]
  endpoints: [{ address: 203.0.113.9 }]
`;

const scopeOf = (over: Partial<Proxy>) => scopeFor(meshOf(MESH), sidecar({ capture: "none", dnsCapture: false, ...over }));

test("a service's ports are bound on the address that stands for it, 127.0.0.1 where none does", () => {
  const scope = scopeOf({
    localPorts: { "db.test:5432": 5432, "db.test:443": 20_443, "replicas.test:5432": 31_000 },
    localAddresses: { "db.test": "127.70.1.2" },
  });
  const { listeners } = localListeners(scope);
  expect(listeners.map(({ address, port, bindToPort }) => [address, port, bindToPort])).toEqual([
    ["127.70.1.2", 20_443, true],
    ["127.70.1.2", 5432, true],
    ["127.0.0.1", 31_000, true],
  ]);
});

test("what leads outside connects to the port on which the relay takes connections; literal addresses are left alone", () => {
  const outsidePorts = { "db.test:443": 20_443, "one.db.test:1000": 21_000, "203.0.113.9:1000": 1 };
  const scope = scopeOf({ outsidePorts });
  const dialled = (host: string) => {
    const service = scope.services.get(host)!;
    const { capture, type: proxyType } = scope.proxy;
    const inputs = { service, rule: undefined, endpoints: scope.endpointsOf(service), settings: scope.settings, proxyType, capture };
    const { clusters, endpoints } = toServiceClusters({ ...inputs, outsidePorts });
    const groups = clusters.flatMap(({ discovery }) => ("endpoints" in discovery ? [discovery.endpoints] : []));
    return [...groups, ...endpoints].flatMap(({ localities }) =>
      localities.flatMap((locality) => locality.endpoints.map(({ address, port }) => `${address}:${port}`)),
    );
  };
  expect(dialled("db.test")).toEqual(["db.test:20443", "db.test:5432"]);
  expect(dialled("replicas.test")).toEqual(["One.db.test:21000", "two.db.test:5433"]);
  expect(dialled("fixed.test")).toEqual(["203.0.113.9:1000"]);
});
