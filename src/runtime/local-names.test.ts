import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { callableFrom, callableHosts, findUncallable } from "./local-ports.ts";
import { findLowestPort, LoopbackAddresses, LoopbackPorts, parseWildcardPorts } from "./loopback.ts";
import { tryMounts, withMounts } from "./mount-way.ts";
import { NameFiles, toHostsText, toSwitchText } from "./name-files.ts";
import type { DesiredPod } from "./pod.ts";
import { createLocalPorts, fixedPorts } from "./pod-ports.ts";
import { portVariables } from "./port-variables.ts";
import { RelayTable } from "./relay-table.ts";
import type { DeclaredResource } from "./resources.ts";
import { toOutsideTable } from "./outside-table.ts";

const resource = (kind: string, spec: object, over: Partial<DeclaredResource["metadata"]> = {}): DeclaredResource => ({
  kind,
  metadata: { name: "users", namespace: "shop", labels: {}, annotations: {}, ...over },
  body: { spec },
});

const pod = (over: Partial<DesiredPod> = {}): DesiredPod => ({
  namespace: "shop",
  name: "web-1",
  owner: { kind: "Deployment", namespace: "shop", name: "web" },
  revision: "r",
  labels: {},
  annotations: {},
  serviceAccount: "web",
  capture: "sidecar",
  spec: { containers: [{ name: "app", image: "shop/web:1", ports: [{ name: "http", containerPort: 8080 }, { containerPort: 9090 }] }] },
  ...over,
});

const RESOURCES = [
  resource("Service", { ports: [{ port: 80 }, { port: 8081 }] }),
  resource("Service", { type: "ExternalName", externalName: "x.com", ports: [{ port: 80 }] }, { name: "alias" }),
  resource("Service", { ports: [{ port: 7000 }] }, { name: "own", annotations: { "networking.istio.io/exportTo": "." } }),
  resource("ServiceEntry", { hosts: ["DB.test", "*.wild.test"], ports: [{ number: 5432 }, { number: 443 }], exportTo: [".", "other"] }),
  resource("ServiceEntry", { hosts: ["tls.test"], ports: [{ number: 443 }] }),
];
const loopbackOf = (lowest: number, taken: readonly number[] = []) => {
  const loopback = new LoopbackPorts(lowest);
  loopback.setTaken(new Set(taken));
  return loopback;
};
const portsOf = (over: { loopback?: LoopbackPorts; images?: object } = {}) =>
  createLocalPorts({
    mesh: "/run/a",
    loopback: loopbackOf(1024),
    callable: () => callableHosts(RESOURCES),
    outsidePorts: () => ({ "tls.test:443": 10_443 }),
    ...over,
    images: () => (over.images ?? {}) as Readonly<Record<string, never>>,
  });

describe("what may be called", () => {
  test.each([
    { namespace: "shop", seen: ["db.test", "own.shop.svc.cluster.local", "tls.test", "users.shop.svc.cluster.local"] },
    { namespace: "other", seen: ["db.test", "tls.test", "users.shop.svc.cluster.local"] },
    { namespace: "third", seen: ["tls.test", "users.shop.svc.cluster.local"] },
  ])("$namespace sees what is exported to it, by plain hosts", ({ namespace, seen }) => {
    expect([...callableFrom(callableHosts(RESOURCES), namespace).keys()]).toEqual(seen);
  });

  test("two resources for one host add their ports", () => {
    const entries = [5432, 80].map((number) => resource("ServiceEntry", { hosts: ["a.com"], ports: [{ number }] }));
    expect([...callableFrom(callableHosts(entries), "x")]).toEqual([["a.com", [80, 5432]]]);
  });

  test("what can't be called is named once, with the next command; where all can, nothing is said", () => {
    const hosts = callableHosts(RESOURCES);
    expect(findUncallable(hosts, loopbackOf(1), true)).toEqual([]);
    expect(findUncallable(hosts, loopbackOf(1024), true)).toMatchObject([
      {
        message: expect.stringMatching(
          /connect to db\.test:443, tls\.test:443, users\.shop\.svc\.cluster\.local:80: .* below 1024/,
        ) as string,
        help: expect.stringContaining("ip_unprivileged_port_start=80,") as string,
      },
    ]);
    expect(findUncallable(hosts, loopbackOf(1), false)).toMatchObject([
      { message: expect.stringContaining("look up db.test, tls.test:") as string },
    ]);
    expect(
      findUncallable(
        hosts.filter(({ isOutside }) => !isOutside),
        loopbackOf(1),
        false,
      ),
    ).toEqual([]);
  });
});

describe("loopback addresses and ports", () => {
  test("addresses follow from mesh and name, no two share one, and they are given back by prefix", () => {
    const [a, same, other] = [new LoopbackAddresses("/run/a"), new LoopbackAddresses("/run/a"), new LoopbackAddresses("/run/b")];
    expect(a.get("shop/web-1 db.test")).toBe(same.get("shop/web-1 db.test"));
    expect(a.get("shop/web-1 db.test")).not.toBe(other.get("shop/web-1 db.test"));
    const many = Array.from({ length: 5000 }, (_, i) => a.get(`shop/web-2 ${i}`));
    expect(new Set(many).size).toBe(5000);
    for (const address of many) expect(address).toMatch(/^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/);
    a.release("shop/web-2 ");
    expect(a.get("shop/web-2 7")).toBe(many[7]);
  });

  test("ports that can't be listened on move out of the way of the others", () => {
    expect([...loopbackOf(1024, [10_443]).open([80, 443, 10_080, 8080])]).toEqual([
      [80, 10_081],
      [443, 10_444],
      [10_080, 10_080],
      [8080, 8080],
    ]);
    expect([...loopbackOf(80).open([80])]).toEqual([[80, 80]]);
  });

  test("ports on which somebody listens on every address, of both families", () => {
    const line = (address: string, state: string) => `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 0 0 1`;
    const text = [line("00000000:1F90", "0A"), line("0100007F:1F91", "0A"), line("00000000:1F92", "01")].join("\n");
    expect(parseWildcardPorts(`  sl  local_address rem_address   st\n${text}\n`)).toEqual([8080]);
    const six = `   0: ${"0".repeat(32)}:0050 ${"0".repeat(32)}:0000 0A 00000000:00000000`;
    expect(parseWildcardPorts(six)).toEqual([80]);
  });

  test("the lowest port is one on which can be listened", async () => {
    const port = await findLowestPort();
    const server = createServer();
    onTestFinished(() => void server.close());
    const listening = new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.99.99.98", () => resolve(true));
    });
    expect(await listening).toBe(true);
  });
});

describe("a pod's own end", () => {
  test("its sidecar has an address for each host, with the declared port where that can be had", () => {
    const ports = portsOf();
    const { localPorts, localAddresses, outsidePorts } = ports.proxy(pod());
    expect(localPorts).toMatchObject({ "db.test:5432": 5432, "db.test:443": 10_443, "users.shop.svc.cluster.local:80": 10_080 });
    expect(new Set(Object.values(localAddresses)).size).toBe(4);
    expect(outsidePorts).toEqual({ "tls.test:443": 10_443 });
    expect(ports.proxy(pod({ name: "web-2" })).localAddresses["db.test"]).not.toBe(localAddresses["db.test"]);
    expect(ports.service(pod(), "users.shop.svc.cluster.local", 80)).toEqual({
      host: localAddresses["users.shop.svc.cluster.local"],
      port: 10_080,
    });
  });

  test("a name leads to it where a port is as declared: else it would lead to whoever else listens there", () => {
    const hosts = (lowest: number, taken: readonly number[] = []) =>
      portsOf({ loopback: loopbackOf(lowest, taken) })
        .hosts(pod())
        .map(({ host }) => host);
    expect(hosts(1)).toContain("tls.test");
    expect(hosts(1024)).not.toContain("tls.test");
    expect(hosts(1024)).toContain("users.shop.svc.cluster.local");
    expect(hosts(1024, [8081])).not.toContain("users.shop.svc.cluster.local");
  });

  test("ports that no variable moves are the applications' own, except a gateway's", () => {
    const template = (inject: string) => ({
      metadata: { labels: { app: "a" }, annotations: inject === "" ? {} : { "inject.istio.io/templates": inject } },
      spec: pod().spec,
    });
    const deployment = (inject: string) => resource("Deployment", { selector: { matchLabels: { app: "a" } }, template: template(inject) });
    const image = { command: [], args: [], workingDir: ".", env: {}, portEnv: "PORT" };
    expect(fixedPorts([deployment("")], {})).toEqual([8080, 9090]);
    expect(fixedPorts([deployment("")], { "shop/web": image })).toEqual([9090]);
    expect(fixedPorts([deployment("gateway")], {})).toEqual([]);
  });

  test.each(["gateway", "none"] as const)("a pod with capture %s has neither names nor addresses", (capture) => {
    const ports = portsOf();
    expect(ports.hosts(pod({ capture }))).toEqual([]);
    expect(ports.proxy(pod({ capture }))).toMatchObject({ localPorts: {}, localAddresses: {} });
  });

  test.each([
    { portEnv: undefined, variables: [] },
    { portEnv: "PORT", variables: [[8080, "PORT"]] },
    {
      portEnv: { http: "PORT", 9090: "GRPC_PORT", nothing: "X" },
      variables: [
        [9090, "GRPC_PORT"],
        [8080, "PORT"],
      ],
    },
  ])("an image's $portEnv moves those ports and no others", ({ portEnv, variables }) => {
    const [container] = pod().spec.containers;
    expect([...portVariables(container!, { portEnv })]).toEqual(variables);
    const ports = portsOf({ images: { "shop/web": { portEnv } } });
    expect(Object.keys(ports.of(pod()).appPorts ?? {}).toSorted()).toEqual(variables.map(([port]) => String(port)).toSorted());
  });
});

describe("a pod's names", () => {
  test("every name that the search domains of its namespace lead to, and its own", () => {
    const hosts = [
      { host: "users.shop.svc.cluster.local", address: "127.70.0.1" },
      { host: "users.other.svc.cluster.local", address: "127.70.0.2" },
      { host: "db.test", address: "127.70.0.3" },
    ];
    expect(toHostsText(pod(), hosts).split("\n")).toEqual([
      `127.0.0.1 localhost web-1 ${hostname()}`,
      "::1 localhost ip6-localhost",
      "127.70.0.1 users.shop.svc.cluster.local users users.shop users.shop.svc",
      "127.70.0.2 users.other.svc.cluster.local users.other users.other.svc",
      "127.70.0.3 db.test",
      "",
    ]);
  });

  test("what the system says of other databases stays", () => {
    expect(toSwitchText("passwd: files\nhosts: resolve [!UNAVAIL=return] dns\n")).toBe("passwd: files\n\nhosts: files\n");
  });

  const { way, refusal } = tryMounts();
  test.skipIf(way === undefined)(`a program finds them, also new ones, and no others (${refusal || way})`, () => {
    const folder = mkdtempSync(join(tmpdir(), "kumiko-names-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const files = new NameFiles(join(folder, "names"));
    const find = (name: string) => {
      const [program = "", ...args] = withMounts(way ?? "root", files.mounts, ["getent", "ahostsv4", name], folder);
      const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
      return [status, stdout.split(/\s/)[0]];
    };
    files.writeHosts(toHostsText(pod(), [{ host: "db.test", address: "127.70.0.3" }]));
    const { ino } = statSync(join(folder, "names/hosts"));
    expect(find("db.test")).toEqual([0, "127.70.0.3"]);
    files.writeHosts("127.70.0.4 db2.test\n");
    expect(readFileSync(join(folder, "names/hosts"), "utf8")).toBe("127.70.0.4 db2.test\n");
    expect(statSync(join(folder, "names/hosts")).ino).toBe(ino);
    expect(find("db2.test")).toEqual([0, "127.70.0.4"]);
    expect(find("db.test")).toEqual([2, ""]);
    files.remove();
  });
});

test("outside hosts are taken on ports that can be listened on; literal addresses are the proxies' own business", async () => {
  const addresses = new LoopbackAddresses("test");
  const errors: unknown[] = [];
  const relay = new RelayTable({ runDir: tmpdir(), ownNetwork: false, ports: loopbackOf(1024), onError: (error) => errors.push(error) });
  onTestFinished(() => relay.close());
  const literal = { hosts: ["l.test"], resolution: "STATIC", ports: [{ number: 443 }], endpoints: [{ address: "203.0.113.9" }] };
  const named = { hosts: ["tls.test"], resolution: "DNS", ports: [{ number: 443 }, { number: 5432 }] };
  const table = toOutsideTable([resource("ServiceEntry", literal), resource("ServiceEntry", named)], (host) => addresses.get(host));
  await relay.set(table);
  expect(errors).toEqual([]);
  expect(relay.movedPorts).toEqual({ "tls.test:443": 10_443 });
  expect(relay.find("tls.test")).toBe(addresses.get("tls.test"));
});
