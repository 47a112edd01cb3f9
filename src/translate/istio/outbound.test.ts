import { describe, expect, test } from "vitest";
import { type MeshSettingsOptions, scopeFor } from "../../mesh/index.ts";
import type { Proxy } from "../../model/proxy.ts";
import { meshOf, sidecar } from "../../testing/mesh.ts";
import { Memo } from "../memo.ts";
import { toOutbound } from "./outbound.ts";

const service = (name: string, ports: string, rest = "clusterIP: 10.96.0.1, ") => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { ${rest}ports: [${ports}], selector: { app: ${name} } }
---`;

const outside = (name: string, rest: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: shop }
spec: { hosts: [${name}.example.com], resolution: DNS, ${rest} }
---`;

function outbound(yaml: string, proxy: Partial<Proxy> = {}, options: MeshSettingsOptions = {}) {
  const { listeners, routeTables, findings } = toOutbound(scopeFor(meshOf(yaml, options), sidecar(proxy)), new Memo());
  return {
    listeners: new Map(listeners.map((listener) => [listener.name, listener])),
    tables: new Map(routeTables.map((table) => [table.name, table])),
    findings,
  };
}

describe("outbound listeners", () => {
  test.each([
    { title: "HTTP is told apart by host, on every address", yaml: service("a", "{ port: 80, name: http }"), names: ["0.0.0.0_80"] },
    {
      title: "bytes are told apart by address",
      yaml: service("a", "{ port: 5432, name: tcp }"),
      names: ["10.96.0.1_5432", "0.0.0.0_5432"],
    },
    {
      title: "an undeclared protocol has the service's own address",
      yaml: service("a", "{ port: 7000 }"),
      names: ["10.96.0.1_7000", "0.0.0.0_7000"],
    },
    { title: "UDP is not proxied", yaml: service("a", "{ port: 53, name: dns, protocol: UDP }"), names: [] },
    {
      title: "an outside host has an address where the mesh answers DNS",
      yaml: outside("a", "ports: [{ number: 443, name: t, protocol: TLS }], addresses: [192.0.2.1]"),
      names: ["192.0.2.1_443", "0.0.0.0_443"],
    },
  ])("$title", ({ yaml, names }) => {
    expect([...outbound(yaml).listeners.keys()]).toEqual(["virtualOutbound", ...names]);
  });

  test("where the mesh doesn't answer DNS, TLS to outside is told apart by server name", () => {
    const yaml =
      outside("a", "ports: [{ number: 443, name: t, protocol: TLS }]") + outside("b", "ports: [{ number: 443, name: t, protocol: HTTPS }]");
    const listener = outbound(yaml, { dnsCapture: false }).listeners.get("0.0.0.0_443");
    const byName = listener?.chains.filter(({ connection }) => connection.kind === "tcp");
    expect(byName?.map(({ match }) => match.serverNames)).toEqual([["a.example.com"], ["b.example.com"]]);
    expect(listener?.defaultChain?.name).toBe("blackhole");
    expect(listener?.inspect.tls).toBe(true);
  });

  test("two services whose bytes can't be told apart: the second is not reached, and is told so", () => {
    const yaml =
      outside("a", "ports: [{ number: 5432, name: t, protocol: TCP }]") + outside("b", "ports: [{ number: 5432, name: t, protocol: TCP }]");
    const { listeners, findings } = outbound(yaml, { dnsCapture: false });
    expect(listeners.get("0.0.0.0_5432")?.defaultChain?.name).toBe("outbound|5432||a.example.com");
    expect(findings.map(({ code, origin }) => [code, origin.ref.name])).toEqual([["KMK2007", "b"]]);
  });

  test("two services of one address and port: the second is not reached, and is told so", () => {
    const rest = "ports: [{ number: 5432, name: t, protocol: TCP }], addresses: [192.0.2.1]";
    const { listeners, findings } = outbound(outside("a", rest) + outside("b", rest));
    expect(listeners.get("192.0.2.1_5432")?.defaultChain?.name).toBe("outbound|5432||a.example.com");
    expect(findings.map(({ code, origin }) => [code, origin.ref.name])).toEqual([["KMK2007", "b"]]);
  });

  test.each(["TCP", "HTTP"])("another namespace's %s entry can't take a Service's address, and is told so", (protocol) => {
    const grab = (profile: "zero-trust" | "istio") =>
      outbound(
        service("a", "{ port: 80, name: http }, { port: 9000, name: tcp }") +
          `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: aaa, namespace: evil }
spec:
  hosts: [a-first.example.com]
  addresses: [10.96.0.1]
  resolution: DNS
  ports: [{ number: 80, name: one, protocol: ${protocol} }, { number: 9000, name: two, protocol: TCP }]
---`,
        {},
        { profile },
      );
    const { listeners, tables, findings } = grab("zero-trust");
    expect(listeners.has("10.96.0.1_80")).toBe(false);
    expect(listeners.get("10.96.0.1_9000")?.defaultChain?.name).toBe("outbound|9000||a.shop.svc.cluster.local");
    const byAddress = tables.get("80")?.virtualHosts.find(({ domains }) => domains.includes("10.96.0.1"));
    expect(byAddress?.name).toBe("a.shop.svc.cluster.local:80");
    expect(new Set(findings.map(({ code, origin }) => `${code} ${origin.ref.name}`))).toEqual(new Set(["KMK3003 aaa"]));
    expect(grab("istio").listeners.get("10.96.0.1_9000")?.defaultChain?.name).toBe("outbound|9000||a-first.example.com");
  });

  test.each([
    { title: "a range that holds a Service's address", entry: "addresses: [10.96.0.0/16], " },
    { title: "every address", entry: "", routes: "tcp: [{ route: [{ destination: { host: '*.evil.example.com' } }] }]" },
    {
      title: "a range that its VirtualService names",
      entry: "",
      routes: "tcp: [{ match: [{ destinationSubnets: [10.96.0.0/16] }], route: [{ destination: { host: '*.evil.example.com' } }] }]",
    },
  ])("another namespace's bytes can't take $title; its own clients' can", ({ entry, routes }) => {
    const chainsFor = (namespace: string) => {
      const yaml = `${service("a", "{ port: 80, name: http }")}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: wide, namespace: evil }
spec: { hosts: ["*.evil.example.com"], ${entry}resolution: STATIC, endpoints: [{ address: 10.9.9.9 }], ports: [{ number: 80, name: t, protocol: TCP }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: wide, namespace: evil }
spec: { hosts: ["*.evil.example.com"], ${routes ?? "tcp: []"} }
---`;
      const { listeners, findings } = outbound(yaml, { namespace });
      const listener = listeners.get("0.0.0.0_80");
      const names = [...(listener?.chains ?? []), ...(listener?.defaultChain === undefined ? [] : [listener.defaultChain])].map(
        ({ name }) => name,
      );
      return { names, codes: findings.map(({ code }) => code) };
    };
    expect(chainsFor("shop").names).toEqual(["80"]);
    expect(new Set(chainsFor("shop").codes)).toEqual(new Set(["KMK3003"]));
    expect(chainsFor("evil").names.length).toBeGreaterThan(1);
  });

  test("a range of addresses is open for the name of its TLS port alone", () => {
    const yaml = outside("a", "ports: [{ number: 443, name: t, protocol: TLS }], addresses: [192.0.2.0/24]");
    expect(
      outbound(yaml)
        .listeners.get("0.0.0.0_443")
        ?.chains.find(({ connection }) => connection.kind === "tcp")?.match,
    ).toEqual({
      prefixes: ["192.0.2.0/24"],
      serverNames: ["a.example.com"],
      transportProtocol: "tls",
    });
  });

  test.each([
    { title: "the range", subnets: "", prefixes: ["192.0.2.0/24"] },
    { title: "the addresses that it asks for", subnets: "destinationSubnets: [198.51.100.0/24], ", prefixes: ["198.51.100.0/24"] },
  ])("a route by server name opens $title, and no other address", ({ subnets, prefixes }) => {
    const yaml = `${outside("a", "ports: [{ number: 443, name: t, protocol: TLS }], addresses: [192.0.2.0/24]")}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: shop }
spec:
  hosts: [a.example.com]
  tls: [{ match: [{ ${subnets}sniHosts: [a.example.com] }], route: [{ destination: { host: a.example.com } }] }]`;
    const routed = outbound(yaml)
      .listeners.get("0.0.0.0_443")
      ?.chains.find(({ name }) => name.startsWith("shop/a/"));
    expect(routed?.match).toEqual({ prefixes, serverNames: ["a.example.com"], transportProtocol: "tls" });
  });

  test("a foreign entry whose whole range is others' takes nothing by its name either", () => {
    const yaml = `${service("a", "{ port: 443, name: tls }")}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: wide, namespace: evil }
spec: { hosts: [wide.example.com], addresses: [10.96.0.0/16], resolution: NONE, ports: [{ number: 443, name: t, protocol: TLS }] }`;
    const { listeners, findings } = outbound(yaml);
    expect(listeners.get("0.0.0.0_443")?.chains.flatMap(({ match }) => match.serverNames ?? [])).toEqual([]);
    expect(findings.map(({ code }) => code)).toEqual(["KMK3003"]);
  });

  test.each([
    { profile: "istio", sniffed: true, last: "passthrough" },
    { profile: "zero-trust", sniffed: false, last: undefined },
  ] as const)("on a port of HTTP alone bytes go out only where everything may: $profile", ({ profile, sniffed, last }) => {
    const listener = outbound(service("a", "{ port: 80, name: http }"), {}, { profile }).listeners.get("0.0.0.0_80");
    expect(listener?.chains.map(({ match }) => match.applicationProtocols !== undefined)).toEqual([sniffed]);
    expect(listener?.defaultChain?.name).toBe(last);
  });

  test("a client of HTTP may be silent for as long as it likes where no service takes bytes", () => {
    const patience = (yaml: string) =>
      outbound(yaml, { dnsCapture: false }, { profile: "istio" }).listeners.get("0.0.0.0_80")?.inspect.patient;
    const http = service("a", "{ port: 80, name: http }");
    expect(patience(http)).toBe(true);
    expect(patience(http + outside("b", "ports: [{ number: 80, name: t, protocol: TCP }]"))).toBeUndefined();
  });

  test("HTTP and bytes on one port are told apart by the first bytes", () => {
    const yaml = service("a", "{ port: 80, name: http }") + outside("b", "ports: [{ number: 80, name: t, protocol: TCP }]");
    const listener = outbound(yaml, { dnsCapture: false }).listeners.get("0.0.0.0_80");
    expect(listener?.chains.map(({ name, match }) => [name, match.applicationProtocols])).toEqual([
      ["80", ["http/1.0", "http/1.1", "h2c"]],
    ]);
    expect(listener?.defaultChain?.name).toBe("outbound|80||b.example.com");
    expect(listener?.inspect).toEqual({ tls: true, http: true });
  });

  test("the proxy's own ports are taken by no service", () => {
    const { listeners, findings } = outbound(service("a", "{ port: 15001, name: tcp }, { port: 15006, name: http }"));
    expect([...listeners.keys()]).toEqual(["virtualOutbound"]);
    expect(findings.map(({ code }) => code)).toEqual(["KMK1003", "KMK1003"]);
  });

  test("first bytes are waited for only on ports that no service has, and only where HTTP is answered by 502", () => {
    const services = service("a", "{ port: 80, name: http }") + service("b", "{ port: 3306, name: mysql }");
    const inspect = (profile: "istio" | "zero-trust") => outbound(services, {}, { profile }).listeners.get("virtualOutbound")?.inspect;
    expect(inspect("zero-trust")).toEqual({ tls: false, http: true, exceptPorts: [80, 3306] });
    expect(inspect("istio")).toEqual({ tls: false, http: false });
  });

  test.each(["10.96.0.1_5432", "0.0.0.0_5432"])("HTTP to an unknown address on a port of bytes is answered by 502, %s", (name) => {
    const chains = outbound(service("a", "{ port: 5432, name: tcp }")).listeners.get(name)?.chains ?? [];
    expect(chains.some(({ connection }) => connection.kind === "http")).toBe(name.startsWith("0.0.0.0"));
  });

  test.each([
    { profile: "zero-trust", cluster: "BlackHoleCluster", host: "block_all" },
    { profile: "istio", cluster: "PassthroughCluster", host: "allow_any" },
  ] as const)("in profile $profile an unknown destination goes to $cluster, an unknown host to $host", ({ profile, cluster, host }) => {
    const { listeners, tables } = outbound(service("a", "{ port: 80, name: http }"), {}, { profile });
    expect(listeners.get("virtualOutbound")?.chains.at(-1)?.connection).toMatchObject({ destinations: [{ cluster }] });
    expect(tables.get("80")?.virtualHosts.at(-1)?.name).toBe(host);
  });
});

describe("virtual hosts", () => {
  const yaml = service("users", "{ port: 80, name: http }");

  test.each([
    { namespace: "shop", domains: ["users.shop.svc.cluster.local", "users", "users.shop.svc", "users.shop", "10.96.0.1"] },
    { namespace: "other", domains: ["users.shop.svc.cluster.local", "users.shop.svc", "users.shop", "10.96.0.1"] },
  ])("a client of $namespace may write $domains", ({ namespace, domains }) => {
    expect(outbound(yaml, { namespace }).tables.get("80")?.virtualHosts[0]?.domains).toEqual(domains);
  });

  test.each([
    { profile: "istio", expected: true },
    { profile: "zero-trust", expected: false },
  ] as const)("with the dot of a whole name at its end a host is listed in profile $profile: $expected", ({ profile, expected }) => {
    const domains = outbound(yaml, {}, { profile }).tables.get("80")?.virtualHosts[0]?.domains;
    expect(domains?.includes("users.shop.svc.cluster.local.")).toBe(expected);
  });

  test("a domain that two hosts claim stays with the first, because Envoy would refuse the table", () => {
    const both = yaml + service("users2", "{ port: 80, name: http }");
    const domains =
      outbound(both)
        .tables.get("80")
        ?.virtualHosts.flatMap((host) => host.domains) ?? [];
    expect(new Set(domains).size).toBe(domains.length);
  });

  test("a headless service's Pods are reached by their own names", () => {
    const headless = service("db", "{ port: 80, name: http }", "clusterIP: None, ");
    expect(outbound(headless).tables.get("80")?.virtualHosts[0]?.domains).toContain("*.db.shop.svc.cluster.local");
  });

  test("a route table of one service takes whatever host the request names", () => {
    expect(
      outbound(service("a", "{ port: 7000 }"))
        .tables.get("a.shop.svc.cluster.local:7000")
        ?.virtualHosts.map(({ domains }) => domains),
    ).toEqual([["*"]]);
  });

  test("a VirtualService all of whose routes are broken leaves no default behind", () => {
    const broken = `${yaml}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: users, namespace: shop }
spec: { hosts: [users], http: [{ match: [{ uri: { regex: "(" } }], route: [{ destination: { host: users } }] }] }`;
    expect(outbound(broken).tables.get("80")?.virtualHosts[0]?.routes).toEqual([]);
  });
});
