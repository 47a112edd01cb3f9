import { beforeAll, expect, test } from "vitest";
import { arrival, inbound, outbound, response, shop, WEB_ID } from "../../testing/lab-exchange.ts";
import { loadMeshTests } from "../../testing/load-mesh-test.ts";
import { TestIssuers } from "../issuers.ts";
import { TestMesh } from "../test-mesh.ts";
import { withoutChecks } from "./checks.ts";
import type { ClientOrder } from "./exchange.ts";

const TEST = `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: t, namespace: shop}
spec:
  workloads:
    - {name: web, labels: {app: web}, ports: [8080]}
    - {name: cart, labels: {app: cart}, ports: [8080]}
    - {name: copy, labels: {app: copy}, ports: [8080]}
    - {name: authorizer, labels: {app: authorizer}, ports: [9000]}
    - {name: copy-authorizer, labels: {app: copy-authorizer}, ports: [9000]}
  calls: [{from: {workload: web}, request: {url: "http://cart:8080/"}, expect: {status: 200}}]
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: copy}
spec: {selector: {app: copy}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: authorizer}
spec: {selector: {app: authorizer}, ports: [{name: http, port: 9000}]}
---
apiVersion: v1
kind: Service
metadata: {name: copy-authorizer}
spec: {selector: {app: copy-authorizer}, ports: [{name: http, port: 9000}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders:
      - {name: by-http, envoyExtAuthzHttp: {service: authorizer.shop.svc.cluster.local, port: 9000}}
      - {name: of-copies, envoyExtAuthzHttp: {service: copy-authorizer.shop.svc.cluster.local, port: 9000}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart}
spec: {selector: {matchLabels: {app: cart}}, action: CUSTOM, provider: {name: by-http}, rules: [{}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: copy}
spec: {selector: {matchLabels: {app: copy}}, action: CUSTOM, provider: {name: of-copies}, rules: [{}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec:
  hosts: [cart]
  http:
    - {match: [{uri: {prefix: /copied}}], route: [{destination: {host: cart}}], mirror: {host: copy}}
    - {match: [{uri: {prefix: /alone}}], route: [{destination: {host: cart}}]}
    - {match: [{uri: {prefix: /some}}], route: [{destination: {host: cart}}], mirror: {host: copy}, mirrorPercentage: {value: 50}}
    - {route: [{destination: {host: cart}}], mirror: {host: authorizer, port: {number: 9000}}}
`;

let mesh: TestMesh;

beforeAll(async () => {
  const [file] = await loadMeshTests({ "t.yaml": TEST });
  mesh = new TestMesh(file!.tests[0]!, new TestIssuers());
});

const addressOf = (name: string) => mesh.workload(shop(name))?.address ?? "";
const to = (name: string) => outbound({ upstreamHost: `${addressOf(name)}:8080` });
const orders = [{ destination: { address: "10.96.0.1", port: 80 } } as ClientOrder];
const check = () => arrival({ at: "shop/authorizer" });
const checked = () => inbound({ workload: shop("authorizer"), peerPrincipal: WEB_ID });

test("what an authorizer is asked is no part of a request's way", () => {
  const exchange = { reports: [response(200)], arrivals: [check(), arrival()], log: [to("cart"), inbound(), checked()] };
  const { arrivals, log } = withoutChecks(exchange, orders, mesh);
  expect(arrivals.map(({ at }) => at)).toEqual(["shop/cart"]);
  expect(log.map(({ workload }) => workload.name)).toEqual(["web", "cart"]);
});

test.each([
  { share: "all", route: 0 },
  { share: "a part", route: 2 },
])("what is asked about a copy of $share of the requests is none either, before the copy itself has come", ({ route }) => {
  const sent = outbound({ route: `route/8080 virtualHosts[0].routes[${route}]`, upstreamHost: `${addressOf("cart")}:8080` });
  const asked = arrival({ at: "shop/copy-authorizer" }, { authority: "cart-shadow:8080" });
  const isAsked = inbound({ workload: shop("copy-authorizer"), authority: "cart-shadow:8080" });
  const exchange = { reports: [response(200)], arrivals: [arrival(), asked], log: [sent, inbound(), isAsked] };
  const { arrivals, log } = withoutChecks(exchange, orders, mesh);
  expect(arrivals.map(({ at }) => at)).toEqual(["shop/cart"]);
  expect(log.map(({ workload }) => workload.name)).toEqual(["web", "cart"]);
});

test("of an authorizer that gets copies, too, they stay", () => {
  const sent = outbound({ route: "route/8080 virtualHosts[0].routes[3]", upstreamHost: `${addressOf("cart")}:8080` });
  const copy = arrival({ at: "shop/authorizer" }, { authority: "cart-shadow:8080" });
  const copied = inbound({ workload: shop("authorizer"), authority: "cart-shadow:8080" });
  const exchange = { reports: [response(200)], arrivals: [check(), arrival(), copy], log: [sent, inbound(), checked(), copied] };
  const { arrivals, log } = withoutChecks(exchange, orders, mesh);
  expect(arrivals).toEqual([arrival(), copy]);
  expect(log).toEqual([sent, inbound(), copied]);
});

test("a call of the authorizer itself is a request like any other", () => {
  const log = [to("authorizer"), checked(), inbound()];
  const exchange = { reports: [response(200)], arrivals: [check()], log };
  expect(withoutChecks(exchange, orders, mesh)).toEqual(exchange);
});

test("without an authorizer all is left as it is", () => {
  const exchange = { reports: [response(200)], arrivals: [check()], log: [to("authorizer"), checked()] };
  expect(withoutChecks(exchange, orders, mesh)).toBe(exchange);
});
