import { createServer, request, type Server } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { AddressInfo } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MESH_ALPN } from "../../ir/alpn.ts";
import type { Listener } from "../../ir/listener.ts";
import { scopeFor } from "../../mesh/index.ts";
import type { Mesh } from "../../mesh/index.ts";
import { meshOf, sidecar } from "../../testing/mesh.ts";
import { type EnvoyOracle, startEnvoyOracle } from "../../testing/envoy-oracle.ts";
import { ownCertificate } from "../../testing/own-secrets.ts";
import { toEnvoyCluster } from "../envoy/cluster.ts";
import { toExtensions } from "../envoy/extension.ts";
import { toEnvoyListener } from "../envoy/listener.ts";
import { type InboundInputs, inboundInputs, toInbound } from "./inbound.ts";
import { policyInputs, toProxyPolicies } from "./inbound-policies.ts";
import type { MtlsMode } from "../../mesh/peer-authentication.ts";
import { freePort } from "../../testing/free-port.ts";

const MESH = `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec:
  selector: { app: users }
  ports:
    - { name: http, port: 80, targetPort: 8080 }
    - { name: tcp-db, port: 5432, targetPort: pg }
---
apiVersion: v1
kind: Pod
metadata: { name: users-1, namespace: shop, labels: { app: users } }
spec:
  serviceAccountName: users
  containers: [{ name: app, ports: [{ name: pg, containerPort: 5433 }, { containerPort: 9000 }] }]
status: { podIP: 10.244.0.7, conditions: [{ type: Ready, status: "True" }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: users, namespace: shop }
spec:
  selector: { matchLabels: { app: users } }
  portLevelMtls: { 8080: { mode: PERMISSIVE } }
`;

const names = (listener: Listener | undefined) => listener?.chains.map(({ name }) => name);

describe("toInbound", () => {
  test("the ports of Services and containers are taken, by the workload's own numbers", () => {
    const inputs = inboundInputs(meshOf(MESH), sidecar());
    expect(inputs.ports.map(({ port, protocol }) => [port, protocol])).toEqual([
      [5433, "tcp"],
      [8080, "http"],
      [9000, "auto"],
    ]);
    expect(inputs.mtls).toMatchObject({ all: "strict", byPort: { 8080: "permissive" } });
  });

  test("in zero-trust a port that nobody declared has no chain", () => {
    const { listeners, clusters } = toInbound(inboundInputs(meshOf(MESH), sidecar()));
    expect(names(listeners[0])).toEqual([
      "virtualInbound-blackhole",
      "0.0.0.0_5433",
      "0.0.0.0_8080",
      "0.0.0.0_8080-plaintext",
      "0.0.0.0_9000-http",
      "0.0.0.0_9000-tcp",
    ]);
    expect(clusters.map(({ name }) => name)).toEqual(["inbound|5433||", "inbound|8080||", "inbound|9000||"]);
  });

  test("in Istio's profile it passes", () => {
    const { listeners, clusters } = toInbound(inboundInputs(meshOf(MESH, { profile: "istio" }), sidecar()));
    expect(names(listeners[0])).toContain("virtualInbound-plaintext-tcp");
    expect(clusters.at(-1)?.name).toBe("InboundPassthroughCluster");
  });

  test("HTTP is looked for only on ports of which nobody says what they speak", () => {
    const inspect = (profile: "istio" | "zero-trust", yaml = MESH) =>
      toInbound(inboundInputs(meshOf(yaml, { profile }), sidecar())).listeners[0]?.inspect;
    expect(inspect("istio")).toEqual({ tls: true, http: true, httpExceptPorts: [5433, 8080] });
    expect(inspect("zero-trust")).toEqual({ tls: true, http: false });
    expect(inspect("istio", MESH.replace("PERMISSIVE", "DISABLE"))).toMatchObject({ exceptPorts: [8080], httpExceptPorts: [5433] });
  });

  const withUnnamedPort = (own: string) =>
    `${MESH.replace("8080: { mode: PERMISSIVE } }", `9000: { mode: STRICT }, 9999: { mode: ${own} } }`)}
  mtls: { mode: ${own === "STRICT" ? "PERMISSIVE" : "STRICT"} }`;

  test.each([
    { own: "STRICT", suffixes: ["-http", "-tcp"], tls: 2 },
    { own: "PERMISSIVE", suffixes: ["-http", "-tcp", "-plaintext-http", "-plaintext-tls", "-plaintext-tcp"], tls: 2 },
    { own: "DISABLE", suffixes: ["-http", "-tcp", "-tls"], tls: 0 },
  ])("in Istio's profile a port that only a PeerAuthentication names has its mode: $own", ({ own, suffixes, tls }) => {
    const [listener] = toInbound(inboundInputs(meshOf(withUnnamedPort(own), { profile: "istio" }), sidecar())).listeners;
    const chains = listener?.chains.filter(({ match }) => match.destinationPort === 9999) ?? [];
    expect(chains.map(({ name }) => name)).toEqual(suffixes.map((suffix) => `virtualInbound_9999${suffix}`));
    expect(chains.filter((chain) => chain.tls !== undefined)).toHaveLength(tls);
    expect(listener?.inspect.http).toBe(true);
  });

  test("in zero-trust it stays closed", () => {
    const [listener] = toInbound(inboundInputs(meshOf(withUnnamedPort("DISABLE")), sidecar())).listeners;
    expect(listener?.chains.filter(({ match }) => match.destinationPort === 9999)).toEqual([]);
  });

  test.each(["strict", "permissive", "disable"] as const)(
    "with mTLS %s, what turns out to be no HTTP has a chain where HTTP has one",
    (all) => {
      const inputs = { ...inboundInputs(meshOf(MESH, { profile: "istio" }), sidecar()), mtls: { all, byPort: {}, origin: [] } };
      const chains = toInbound(inputs).listeners[0]?.chains ?? [];
      const undeclared = [9000, undefined];
      const sniffed = chains.filter(({ connection, match }) => connection.kind === "http" && undeclared.includes(match.destinationPort));
      expect(sniffed.length).toBeGreaterThan(0);
      for (const { match } of sniffed) {
        const others = chains.filter(
          (other) =>
            other.connection.kind === "tcp" &&
            other.match.destinationPort === match.destinationPort &&
            other.match.transportProtocol === match.transportProtocol,
        );
        expect(others).not.toEqual([]);
      }
    },
  );

  test("every chain with TLS asks for a certificate of the trust domain, 1.3 in zero-trust", () => {
    const { listeners } = toInbound(inboundInputs(meshOf(MESH), sidecar()));
    const tls = listeners[0]?.chains.flatMap((chain) => chain.tls ?? []) ?? [];
    expect(tls).toHaveLength(4);
    for (const one of tls)
      expect(one).toMatchObject({
        minVersion: "1.3",
        clients: { kind: "required", names: [{ kind: "prefix", value: "spiffe://cluster.local/" }] },
      });
  });

  test("a proxy whose workload is not known yet opens nothing", () => {
    const { listeners } = toInbound(inboundInputs(meshOf(MESH), sidecar({ name: "other-1", addresses: ["10.244.0.9"] })));
    expect(names(listeners[0])).toEqual(["virtualInbound-blackhole"]);
  });
});

describe("real Envoy", () => {
  let oracle: EnvoyOracle;
  let binding: EnvoyOracle;
  let application: Server;
  beforeAll(async () => {
    [oracle, binding] = await Promise.all([startEnvoyOracle(), startEnvoyOracle({ bindsPorts: true })]);
    application = createServer((incoming, answer) => answer.end(String(incoming.headers["x-forwarded-client-cert"] ?? "")));
    await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    await Promise.all([oracle.close(), binding.close()]);
    await new Promise((resolve) => application.close(resolve));
  });

  test.each(["zero-trust", "istio"] as const)("accepts the way into a workload with policies in %s", async (profile) => {
    const mesh = meshOf(MESH, { profile });
    const { listeners, clusters } = toInbound(inboundInputs(mesh, sidecar()));
    const { policies } = toProxyPolicies(policyInputs(mesh, sidecar(), scopeFor(mesh, sidecar())));
    const resources = [
      ...clusters.map((cluster) => toEnvoyCluster(cluster, mesh.settings)),
      ...listeners.map((listener) => toEnvoyListener(listener, mesh.settings)),
      ...toExtensions("sidecar", policies),
    ];
    expect((await oracle.judge(resources)).filter(({ outcome, name }) => outcome !== "accepted" && !name.includes("outbound"))).toEqual([]);
  });

  const CLIENTS = ["plaintext", "TLS without a certificate", "mTLS"] as const;
  const EXPECTED: Readonly<Record<MtlsMode, readonly string[]>> = {
    strict: ["refused", "refused", "200 URI=spiffe://cluster.local/ns/test/sa/test"],
    permissive: ["200", "refused", "200 URI=spiffe://cluster.local/ns/test/sa/test"],
    disable: ["200", "refused", "refused"],
  };

  /** A sidecar's way in on a port of its own, in front of the application. */
  async function serve(protocol: "http" | "tcp", mode: MtlsMode, mesh: Mesh, trustDomains = ["cluster.local"]): Promise<number> {
    const sidecarPort = await freePort();
    const inputs: InboundInputs = {
      capture: "none",
      ports: [
        {
          port: (application.address() as AddressInfo).port,
          protocol,
          sidecarPort,
          origin: { ref: { kind: "Pod", namespace: "shop", name: "users-1" }, path: [] },
        },
      ],
      mtls: { all: mode, byPort: {}, origin: [] },
      trustDomains,
      settings: { profile: "zero-trust", connectTimeoutMs: 1000 },
    };
    const { settings } = mesh;
    const { listeners, clusters } = toInbound(inputs);
    const { policies } = toProxyPolicies(policyInputs(mesh, sidecar(), scopeFor(mesh, sidecar())));
    const verdicts = await binding.judge([
      ...clusters.map((cluster) => toEnvoyCluster(cluster, settings)),
      ...listeners.map((listener) => toEnvoyListener(listener, settings)),
      ...toExtensions("sidecar", policies),
    ]);
    expect(verdicts.filter(({ outcome }) => outcome === "refused")).toEqual([]);
    await untilOpen(sidecarPort);
    return sidecarPort;
  }

  test.each(Object.keys(EXPECTED) as MtlsMode[])("%s takes exactly the clients that it should", async (mode) => {
    const sidecarPort = await serve("http", mode, meshOf("", { profile: "istio" }));
    const got = await Promise.all(CLIENTS.map((client) => call(client, sidecarPort)));
    expect(
      got.map((answer) =>
        answer
          .replace(/By=[^;]*;/, "")
          .replace(/Hash=[^;]*;/, "")
          .trim(),
      ),
    ).toEqual(EXPECTED[mode]);
  });

  const allow = (principal: string) =>
    JSON.stringify({
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "p", namespace: "shop" },
      spec: { rules: [{ from: [{ source: { principals: [principal] } }] }] },
    });

  test.each([
    { title: "the caller that a policy allows", yaml: allow("cluster.local/ns/test/sa/test"), passes: true },
    { title: "the caller by the end of its name", yaml: allow("*/sa/test"), passes: true },
    { title: "another caller", yaml: allow("cluster.local/ns/test/sa/te"), passes: false },
    { title: "anybody without a policy", yaml: "", passes: false },
  ])("$title on HTTP and on TCP: $passes", async ({ yaml, passes }) => {
    for (const protocol of ["http", "tcp"] as const) {
      const answer = await call("mTLS", await serve(protocol, "strict", meshOf(yaml)));
      expect({ protocol, passes: answer.startsWith("200") }).toEqual({ protocol, passes });
    }
  });

  test("an identity of another trust domain is refused in the handshake, whatever the policies", async () => {
    expect(await call("mTLS", await serve("http", "strict", meshOf("", { profile: "istio" }), ["other.example"]))).toBe("refused");
  });
});

function call(client: "plaintext" | "TLS without a certificate" | "mTLS", port: number): Promise<string> {
  const { certificate, key } = ownCertificate();
  const options = {
    host: "127.0.0.1",
    port,
    agent: false as const,
    headers: { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/forged/sa/forged" },
    timeout: 8000,
  };
  const shown = client === "mTLS" ? { cert: certificate, key } : {};
  const tls: RequestOptions & ConnectionOptions = {
    ...options,
    ...shown,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
    ALPNProtocols: [...MESH_ALPN.http1],
  };
  return new Promise((resolve) => {
    const sent = client === "plaintext" ? request(options) : httpsRequest(tls as RequestOptions);
    sent.on("response", (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.on("end", () => resolve(`${answer.statusCode} ${text}`));
    });
    sent.on("error", () => resolve("refused"));
    sent.on("timeout", () => sent.destroy(new Error("timeout")));
    sent.end();
  });
}

async function untilOpen(port: number): Promise<void> {
  const end = performance.now() + 60_000;
  while (performance.now() < end) {
    const open = await new Promise<boolean>((resolve) => {
      const probe = request({ host: "127.0.0.1", port, agent: false }, () => resolve(true));
      probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
      probe.end();
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("Envoy did not open its port in time");
}

test("a replica that was told to listen elsewhere is reached there, on the port that its sidecar took for it", () => {
  const mesh = meshOf(`
apiVersion: v1
kind: Pod
metadata:
  name: users-1
  namespace: shop
  annotations: { sidecar.istio.io/status: "{}", kumiko.dev/sidecar-ports: '{"8080": 31001}', kumiko.dev/app-ports: '{"8080": 31500}' }
spec: { serviceAccountName: users, containers: [{ name: app, ports: [{ containerPort: 8080, name: http }] }] }
status: { podIP: 127.0.0.1, conditions: [{ type: Ready, status: "True" }] }
`);
  const { clusters, listeners } = toInbound(inboundInputs(mesh, sidecar({ name: "users-1", addresses: ["127.0.0.1"], capture: "none" })));
  expect(clusters.find(({ name }) => name === "inbound|8080||")?.discovery).toMatchObject({
    endpoints: { localities: [{ endpoints: [{ address: "127.0.0.1", port: 31_500 }] }] },
  });
  expect(listeners.map(({ port }) => port)).toContain(31_001);
});
