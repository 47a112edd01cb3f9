import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { fromBinary } from "@bufbuild/protobuf";
import type { Listener as EnvoyListener } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import { HttpConnectionManagerSchema } from "../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { HttpConnection } from "../../ir/http-connection.ts";
import type { FilterChain, Listener } from "../../ir/listener.ts";
import { GATEWAY_SLOTS, INBOUND_SLOTS, INBOUND_TCP_SLOTS, OUTBOUND_SLOTS } from "../../ir/policy-slots.ts";
import { type EnvoyOracle, startEnvoyOracle } from "../../testing/envoy-oracle.ts";
import { freePort } from "../../testing/free-port.ts";
import { toExtensions } from "./extension.ts";
import { HTTP_FILTER_ORDER } from "./filter-order.ts";
import { toEnvoyListener } from "./listener.ts";
import type { ListenerSettings } from "./listener-settings.ts";

const zeroTrust: ListenerSettings = {
  profile: "zero-trust",
  pathNormalization: "decode-and-merge-slashes",
  protocolDetectionTimeoutMs: 0,
  maxConnectionDurationMs: 3_600_000,
};
const istio: ListenerSettings = { ...zeroTrust, profile: "istio", pathNormalization: "base", maxConnectionDurationMs: 0 };

const inline = (cluster: string): HttpConnection["routes"] => ({
  inline: {
    name: cluster,
    ignorePortInHost: true,
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        origin: [],
        routes: [
          {
            name: "default",
            match: { path: { kind: "prefix", value: "/" }, headers: [], query: [] },
            action: { kind: "forward", destinations: [{ cluster, weight: 1 }] },
            origin: [],
          },
        ],
      },
    ],
  },
});

const http = (over: Partial<HttpConnection> = {}): HttpConnection => ({
  kind: "http",
  statPrefix: "test",
  role: "inbound",
  routes: inline("BlackHoleCluster"),
  codec: "auto",
  slots: INBOUND_SLOTS,
  websocketUpgrade: true,
  ...over,
});

const chain = (over: Partial<FilterChain> = {}): FilterChain => ({ name: "chain", match: {}, connection: http(), origin: [], ...over });

const listener = (over: Partial<Listener> = {}): Listener => ({
  name: "virtualInbound",
  address: "0.0.0.0",
  port: 15_006,
  bindToPort: true,
  direction: "inbound",
  useOriginalDestination: true,
  inspect: { tls: true, http: false },
  chains: [chain()],
  origin: [],
  ...over,
});

const messageOf = (given: Listener, settings = zeroTrust) => toEnvoyListener(given, settings).message as EnvoyListener;

function managerOf(connection: HttpConnection, settings: ListenerSettings) {
  const config = messageOf(listener({ chains: [chain({ connection })] }), settings).filterChains[0]?.filters[0]?.configType;
  if (config?.case !== "typedConfig") throw new Error("no connection manager");
  return fromBinary(HttpConnectionManagerSchema, config.value.value);
}

describe("toEnvoyListener", () => {
  test("inbound, a captured destination chooses a chain and never another listener", () => {
    expect(messageOf(listener()).useOriginalDst).toBeUndefined();
    expect(messageOf(listener({ direction: "outbound" })).useOriginalDst).toBe(true);
  });

  test("a sidecar shares its port with no program of the same user; a gateway, which has no neighbour, leaves balancing to the kernel", () => {
    expect(messageOf(listener()).enableReusePort).toBe(false);
    expect(messageOf(listener({ direction: "outbound" })).enableReusePort).toBe(false);
    expect(messageOf(listener({ chains: [chain({ connection: http({ role: "gateway" }) })] })).enableReusePort).toBeUndefined();
    expect(messageOf(listener({ bindToPort: false })).enableReusePort).toBeUndefined();
  });

  test("silence is refused inbound and at gateways, and passes as bytes outbound", () => {
    expect(messageOf(listener()).continueOnListenerFiltersTimeout).toBe(false);
    expect(messageOf(listener({ direction: "outbound" })).continueOnListenerFiltersTimeout).toBe(true);
    expect(
      messageOf(listener({ direction: "outbound", chains: [chain({ connection: http({ role: "gateway" }) })] }))
        .continueOnListenerFiltersTimeout,
    ).toBe(false);
  });

  test.each([
    { title: "first bytes are waited for within a limit", patient: false, declared: 0, seconds: 5n },
    { title: "where silence says nothing, without one", patient: true, declared: 0, seconds: 0n },
    { title: "a limit of the mesh's own holds for both", patient: true, declared: 7000, seconds: 7n },
  ])("$title", ({ patient, declared, seconds }) => {
    const inspect = { tls: true, http: true, ...(patient && { patient: true as const }) };
    const given = listener({ direction: "outbound", inspect });
    const { listenerFiltersTimeout } = messageOf(given, { ...istio, protocolDetectionTimeoutMs: declared });
    expect(listenerFiltersTimeout?.seconds).toBe(seconds);
  });

  test("TLS is looked for everywhere but where bytes are only passed on, HTTP not on ports that declare what they speak either", () => {
    const inspect = { tls: true, http: true, exceptPorts: [3306], httpExceptPorts: [8080, 5433] };
    const { listenerFilters } = messageOf(listener({ inspect }), istio);
    const rangeOf = (port: number) => ({ rule: { case: "destinationPortRange", value: { start: port, end: port + 1 } } });
    expect(listenerFilters.slice(-2)).toMatchObject([
      { name: "envoy.filters.listener.tls_inspector", filterDisabled: rangeOf(3306) },
      {
        name: "envoy.filters.listener.http_inspector",
        filterDisabled: { rule: { case: "orMatch", value: { rules: [3306, 8080, 5433].map(rangeOf) } } },
      },
    ]);
  });

  test("what it needs is listed: slots, clusters, routes and users' Secrets, but not the agent's own", () => {
    const tls = {
      certificateSecret: "kubernetes://edge/cert",
      clients: { kind: "required", trustSecret: "ROOTCA", names: [] },
      minVersion: "1.2",
      alpn: [],
    } as const;
    const given = listener({ chains: [chain({ tls, connection: http({ routes: { rds: "http.8080" }, slots: OUTBOUND_SLOTS }) })] });
    expect(toEnvoyListener(given, zeroTrust).references).toEqual([
      { type: "route", name: "http.8080" },
      { type: "extension", name: "kumiko.outbound.extensions" },
      { type: "secret", name: "kubernetes://edge/cert" },
    ]);
  });
});

describe("connection manager", () => {
  test.each([
    {
      role: "gateway",
      settings: zeroTrust,
      expected: {
        useRemoteAddress: true,
        forwardClientCertDetails: 3,
        mergeSlashes: true,
        pathWithEscapedSlashesAction: 4,
        stripTrailingHostDot: true,
      },
    },
    {
      role: "inbound",
      settings: zeroTrust,
      expected: { useRemoteAddress: false, forwardClientCertDetails: 3, setCurrentClientCertDetails: { uri: true } },
    },
    { role: "outbound", settings: zeroTrust, expected: { useRemoteAddress: false, forwardClientCertDetails: 0 } },
    {
      role: "gateway",
      settings: istio,
      expected: {
        useRemoteAddress: true,
        mergeSlashes: false,
        normalizePath: true,
        pathWithEscapedSlashesAction: 1,
        stripTrailingHostDot: false,
      },
    },
  ] as const)("$role in $settings.profile", ({ role, settings, expected }) => {
    expect(managerOf(http({ role }), settings)).toMatchObject(expected);
  });

  test("no connection and its last stream together outlive what is left of a certificate at half its life", () => {
    const options = managerOf(http(), zeroTrust).commonHttpProtocolOptions;
    const seconds = Number(options?.maxConnectionDuration?.seconds) + Number(options?.maxStreamDuration?.seconds);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(3600 * 0.45);
  });

  test("headers with underscores are refused towards the application in zero-trust alone", () => {
    expect(managerOf(http(), zeroTrust).commonHttpProtocolOptions?.headersWithUnderscoresAction).toBe(1);
    expect(managerOf(http(), istio).commonHttpProtocolOptions?.headersWithUnderscoresAction).toBe(0);
    expect(managerOf(http({ role: "outbound" }), zeroTrust).commonHttpProtocolOptions?.headersWithUnderscoresAction).toBe(0);
  });

  test("who is it and may it come before all else, and the router last", () => {
    const names = managerOf(http(), zeroTrust).httpFilters.map(({ name }) => name);
    expect(names).toEqual([
      INBOUND_SLOTS.authn,
      INBOUND_SLOTS.authzCustomRules,
      INBOUND_SLOTS.authzCustom,
      INBOUND_SLOTS.authzDeny,
      INBOUND_SLOTS.authzAllow,
      "envoy.filters.http.cors",
      "envoy.filters.http.fault",
      INBOUND_SLOTS.extensions,
      "envoy.filters.http.router",
    ]);
    expect(HTTP_FILTER_ORDER.at(-1)).toBe("router");
  });
});

describe("real Envoy", () => {
  let oracle: EnvoyOracle;
  beforeAll(async () => {
    oracle = await startEnvoyOracle();
  });
  afterAll(() => oracle.close());

  const empty = { enforced: false, policies: [] };
  const none = {
    http: { authentication: { providers: [], origin: [] }, custom: empty, deny: empty, allow: empty },
    tcp: { deny: empty, allow: empty },
  };
  const mutual = {
    certificateSecret: "default",
    clients: { kind: "required", trustSecret: "ROOTCA", names: [{ kind: "prefix", value: "spiffe://cluster.local/" }] },
    minVersion: "1.3",
    alpn: ["h2", "http/1.1"],
  } as const;

  const errorsOnly: ListenerSettings = { ...zeroTrust, accessLog: { path: "/dev/stdout", lines: "errors" } };

  test.each([zeroTrust, istio, errorsOnly])(
    "accepts every kind of chain and every empty slot in $profile, access log $accessLog.lines",
    async (settings) => {
      const tcp = {
        kind: "tcp",
        statPrefix: "bytes",
        destinations: [
          { cluster: "a", weight: 1 },
          { cluster: "b", weight: 3 },
        ],
        slots: INBOUND_TCP_SLOTS,
      } as const;
      const inbound = listener({
        chains: [
          chain({ name: "mtls", match: { destinationPort: 8080, transportProtocol: "tls" }, tls: mutual }),
          chain({ name: "plain", match: { destinationPort: 8080, transportProtocol: "raw_buffer" } }),
          chain({
            name: "bytes",
            match: { destinationPort: 9000, prefixes: ["10.0.0.0/8"], applicationProtocols: ["istio"] },
            connection: tcp,
          }),
        ],
        defaultChain: chain({ name: "rest", connection: tcp }),
        inspect: { tls: true, http: true, exceptPorts: [3306, 25], httpExceptPorts: [8080] },
      });
      const edge = listener({
        name: "0.0.0.0_8443",
        port: 8443,
        useOriginalDestination: false,
        chains: [chain({ connection: http({ role: "gateway", slots: GATEWAY_SLOTS }) })],
      });
      const resources = [
        ...toExtensions("sidecar", none),
        ...toExtensions("gateway", none),
        toEnvoyListener(inbound, settings),
        toEnvoyListener(edge, settings),
      ];
      const verdicts = await oracle.judge(resources);
      expect(verdicts.filter(({ outcome }) => outcome === "refused")).toEqual([]);
      expect(verdicts.filter(({ outcome }) => outcome === "unasked").map(({ name }) => name)).toEqual([
        "kumiko.outbound.extensions",
        "kumiko.outbound.tcp.extensions",
        "kumiko.gateway.tcp.authz-deny",
        "kumiko.gateway.tcp.authz-allow",
        "kumiko.gateway.tcp.extensions",
      ]);
    },
  );

  test("no program of the same user can listen beside it, whatever it asks the kernel for", async () => {
    const binding = await startEnvoyOracle({ bindsPorts: true });
    onTestFinished(() => binding.close());
    const port = await freePort();
    const given = listener({
      address: "127.0.0.1",
      port,
      useOriginalDestination: false,
      chains: [chain({ connection: http({ slots: {} }) })],
    });
    expect(await binding.judge([toEnvoyListener(given, zeroTrust)])).toMatchObject([{ outcome: "accepted" }]);
    const beside = createServer();
    onTestFinished(() => void beside.close());
    const heard = new Promise((resolve) => beside.once("error", resolve).once("listening", () => resolve("listens")));
    beside.listen({ host: "127.0.0.1", port, reusePort: true });
    expect(await heard).toMatchObject({ code: "EADDRINUSE" });
  });

  test("names the one bad listener among good ones", async () => {
    const bad = listener({
      name: "bad",
      port: 1,
      chains: [chain({ connection: http({ slots: {}, codec: "auto", routes: inline("a") }), match: { prefixes: ["not an address/8"] } })],
    });
    const verdicts = await oracle.judge([
      toEnvoyListener(listener({ chains: [chain({ connection: http({ slots: {} }) })] }), zeroTrust),
      toEnvoyListener(bad, zeroTrust),
    ]);
    expect(verdicts).toMatchObject([
      { outcome: "accepted" },
      { name: "bad", outcome: "refused", error: expect.stringContaining("not an address") },
    ]);
  });
});
