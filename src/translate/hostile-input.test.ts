import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EnvoyOracle, startEnvoyOracle } from "../testing/envoy-oracle.ts";
import { meshOf, sidecar } from "../testing/mesh.ts";
import { createTranslator } from "./index.ts";

const SERVICES = `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { selector: { app: users }, clusterIP: 10.96.0.10, ports: [{ port: 80, name: http }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: shop }
spec: { hosts: [api.test], addresses: [192.0.2.1], ports: [{ number: 8080, name: http, protocol: HTTP }, { number: 443, name: tls, protocol: TLS }], resolution: DNS_ROUND_ROBIN, location: MESH_EXTERNAL }
---
`;

const withSpec = (kind: string, spec: object) =>
  `${SERVICES}${JSON.stringify({ apiVersion: "networking.istio.io/v1", kind, metadata: { name: "it", namespace: "shop" }, spec })}`;
const withRoute = (route: object) =>
  withSpec("VirtualService", { hosts: ["users"], http: [route, { match: [{ uri: { prefix: "/good" } }], route: TO_USERS }] });
const TO_USERS = [{ destination: { host: "users" } }];

/** Each of these in one route would make Envoy refuse the whole table. */
const BAD_ROUTES: Readonly<Record<string, object>> = {
  "a percent sign alone in a header": { headers: { request: { set: { x: "100%" } } }, route: TO_USERS },
  "a command that Envoy doesn't know": { headers: { response: { add: { x: "%NOTHING%" } } }, route: TO_USERS },
  "a command without its argument": { headers: { request: { set: { x: "%REQ%" } } }, route: TO_USERS },
  "a line break in a header": { headers: { request: { set: { x: "a\nb" } } }, route: TO_USERS },
  "a line break in a destination's header": { route: [{ destination: { host: "users" }, headers: { request: { set: { x: "a\rb" } } } }] },
  "a header without a name": { headers: { request: { add: { "": "a" } } }, route: TO_USERS },
  "a line break in a rewritten host": { rewrite: { authority: "a\nb" }, route: TO_USERS },
  "a status that can't be answered": { directResponse: { status: 99 } },
  "a fault's status that can't be answered": { fault: { abort: { httpStatus: 700, percentage: { value: 1 } } }, route: TO_USERS },
  "an expression": { match: [{ uri: { regex: "(" } }], route: TO_USERS },
  "an expression that Envoy's library lacks": { match: [{ uri: { regex: "(?=a)b" } }], route: TO_USERS },
  "a backslash in a rewrite": { rewrite: { uriRegexRewrite: { match: "a", rewrite: "\\x" } }, route: TO_USERS },
};

/** And these are fine, however odd. */
const ODD_ROUTES: Readonly<Record<string, object>> = {
  "a doubled percent sign": { headers: { request: { set: { x: "100%%" } } }, route: TO_USERS },
  "commands of Envoy's": {
    headers: { request: { set: { a: "%REQ(x)%", b: "%START_TIME%", c: "%UPSTREAM_METADATA(a:b)%", d: "%DOWNSTREAM_PEER_URI_SAN%" } } },
    route: TO_USERS,
  },
  "a delay of nothing": { fault: { delay: { fixedDelay: "0s", percentage: { value: 100 } } }, route: TO_USERS },
  "only weights of nothing": {
    route: [
      { destination: { host: "users" }, weight: 0 },
      { destination: { host: "users" }, weight: 0 },
    ],
  },
  "a body of 100 KB": { directResponse: { status: 200, body: { string: "x".repeat(100_000) } } },
  "words of retries that nobody knows": { retries: { attempts: 3, retryOn: "nonsense,503,reset", backoff: "0.1ms" }, route: TO_USERS },
  "an empty rewrite": { rewrite: { uri: "" }, route: TO_USERS },
};

const POLICIES: Readonly<Record<string, object>> = {
  passthrough: { loadBalancer: { simple: "PASSTHROUGH" } },
  maglev: { loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 65_537 } } } },
  ring: { loadBalancer: { consistentHash: { httpCookie: { name: "c", ttl: "0s" }, ringHash: { minimumRingSize: 10 } } } },
  "warm-up": { loadBalancer: { simple: "ROUND_ROBIN", warmup: { duration: "30s" } } },
  "use the client's protocol": { connectionPool: { http: { useClientProtocol: true } } },
  upgrade: {
    connectionPool: {
      http: { h2UpgradePolicy: "UPGRADE", idleTimeout: "0s" },
      tcp: { connectTimeout: "0s", maxConnectionDuration: "10s", tcpKeepalive: {} },
    },
  },
  mutual: { tls: { mode: "ISTIO_MUTUAL", subjectAltNames: ["spiffe://cluster.local/*", "*.b"] } },
  simple: { tls: { mode: "SIMPLE", sni: "a.test", caCertificates: "/etc/ssl/certs/ca-certificates.crt" } },
  unchecked: { tls: { mode: "SIMPLE", insecureSkipVerify: true } },
  "certificates from files": { tls: { mode: "MUTUAL", clientCertificate: "/a", privateKey: "/b" } },
  ejection: {
    outlierDetection: {
      consecutiveGatewayErrors: 0,
      consecutive5xxErrors: 0,
      splitExternalLocalOriginErrors: true,
      consecutiveLocalOriginFailures: 2,
      minHealthPercent: 50,
    },
  },
};

describe("what a user writes and a real Envoy", () => {
  let oracle: EnvoyOracle;
  beforeAll(async () => {
    oracle = await startEnvoyOracle();
  });
  afterAll(() => oracle.close());

  async function judged(yaml: string) {
    const { snapshot, findings } = createTranslator().translate(meshOf(yaml), sidecar());
    const refused = (await oracle.judge(snapshot)).filter(({ outcome }) => outcome === "refused");
    const table = snapshot.get("route")?.get("80")?.origins;
    return { refused, findings, routes: [...(table?.keys() ?? [])].filter((key) => key.startsWith("virtualHosts[0].routes")).length };
  }

  test.each(Object.entries(BAD_ROUTES))("%s costs that route alone, and is said", async (_title, route) => {
    const { refused, findings, routes } = await judged(withRoute(route));
    expect(refused).toEqual([]);
    expect(findings.map(({ code }) => code)).toEqual(["KMK1001"]);
    expect(routes).toBe(1);
  });

  test.each(Object.entries(ODD_ROUTES))("%s is accepted", async (_title, route) => {
    const { refused, findings, routes } = await judged(withRoute({ match: [{ uri: { prefix: "/odd" } }], ...route }));
    expect(refused).toEqual([]);
    expect(findings).toEqual([]);
    expect(routes).toBe(2);
  });

  test.each(
    Object.entries(POLICIES).flatMap(([title, trafficPolicy]) => ["users", "api.test"].map((host) => ({ title, host, trafficPolicy }))),
  )("traffic policy $title for $host is accepted", async ({ host, trafficPolicy }) => {
    expect((await judged(withSpec("DestinationRule", { host, trafficPolicy, subsets: [{ name: "v1" }] }))).refused).toEqual([]);
  });
});
