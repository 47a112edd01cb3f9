import { describe, expect, test } from "vitest";
import { BRIDGE_ADDRESS, bridgeNetwork, machineNetwork, markCapability, podAddress, podLink, podRules, PROBE_ADDRESS } from "./network.ts";

describe("podAddress", () => {
  test("10,000 pods have addresses of their own, none of them the bridge's or the probes', none ends in 0 or 255", () => {
    const addresses = Array.from({ length: 10_000 }, (_, index) => podAddress(index) ?? "");
    expect(new Set(addresses).size).toBe(10_000);
    expect(addresses).not.toContain(BRIDGE_ADDRESS);
    expect(addresses).not.toContain(PROBE_ADDRESS);
    for (const address of addresses) expect(address).toMatch(/^10\.244\.\d{1,3}\.([1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-4])$/);
  });

  test("a used up range gives no address instead of one outside of it", () => {
    expect(podAddress(70_000)).toBeUndefined();
  });
});

test.each([
  ["4.19.0-27-amd64", "net_admin"],
  ["5.4.0", "net_admin"],
  ["5.15.153.1-microsoft-standard-WSL2", "net_admin"],
  ["5.17.0-rc1", "net_raw"],
  ["6.1.0-37-arm64", "net_raw"],
  ["10.0", "net_raw"],
  ["unknown", "net_admin"],
])("on Linux %s the mark takes %s", (release, capability) => expect(markCapability(release)).toBe(capability));

describe("podRules", () => {
  test.each(["sidecar", "gateway", "none"] as const)("what no rule of capture %s allows is dropped, in and out", (capture) => {
    const rules = podRules(capture);
    expect(rules).toContain(":INPUT DROP");
    expect(rules).toContain(":OUTPUT DROP");
    expect(rules).not.toMatch(/-A OUTPUT -j ACCEPT/);
    expect(rules).not.toMatch(/-A OUTPUT -p (tcp|udp) -j ACCEPT/);
  });

  test("an application's DNS goes to its sidecar before loopback is exempted", () => {
    const rules = podRules("sidecar");
    expect(rules.indexOf("--dport 53 -j REDIRECT")).toBeLessThan(rules.indexOf("-A OUTPUT -o lo -j RETURN"));
  });

  test("a sidecar that calls its own address comes in by its own door, unless it speaks to its application", () => {
    const rules = podRules("sidecar");
    expect(rules).toMatch(/-A OUTPUT -o lo -p tcp -m mark --mark 1337 ! -s 127\.0\.0\.6 ! -d 127\.0\.0\.0\/8 -j REDIRECT --to-ports 15006/);
    expect(rules.indexOf("--to-ports 15006", rules.indexOf(":OUTPUT"))).toBeLessThan(rules.indexOf("--mark 1337 -j RETURN"));
  });

  test("a pod without a sidecar reaches neither the bridge nor the relay", () => {
    const rules = podRules("none");
    expect(rules.indexOf(`-d ${BRIDGE_ADDRESS} -j DROP`)).toBeLessThan(rules.indexOf("-d 10.244.0.0/16 -j ACCEPT"));
    expect(rules).not.toContain("10.245");
  });
});

test("a pod's hardware address follows from its address: the next pod with that address is reached although others remember the last one", () => {
  expect(podLink(0, 7)).toContain("peer name eth0 address 02:00:0a:f4:00:0b netns 7");
  expect(podLink(1, 7)).not.toContain("02:00:0a:f4:00:0b");
});

test.each([
  ["the machine", machineNetwork()],
  ["a mesh of a real test", bridgeNetwork()],
])("the bridge of %s has a hardware address of its own, which no pod that comes or goes can change", (_, batch) => {
  expect(batch).toContain("link add kumiko0 address 02:00:0a:f4:00:01 type bridge\n");
});
