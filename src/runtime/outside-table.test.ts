import { describe, expect, test } from "vitest";
import { findRealAddress, toOutsideTable } from "./outside-table.ts";
import type { DeclaredResource } from "./resources.ts";

const entry = (spec: object): DeclaredResource => ({
  kind: "ServiceEntry",
  metadata: { name: "e", namespace: "shop", labels: {}, annotations: {} },
  body: { spec },
});
const tcp = (number: number, over = {}) => ({ number, name: "tcp", protocol: "TCP", ...over });
const openOf = (spec: object) => toOutsideTable([entry(spec)], "10.245").map(({ host, address, ports }) => [host || address, ...ports]);

describe("toOutsideTable", () => {
  test.each([
    {
      title: "a host with its ports",
      spec: { hosts: ["DB.example.com"], ports: [tcp(5432), tcp(80)], resolution: "DNS" },
      open: [["db.example.com", 80, 5432]],
    },
    {
      title: "the target port, where there is one",
      spec: { hosts: ["a.com"], ports: [tcp(80, { targetPort: 443 })], resolution: "DNS" },
      open: [["a.com", 443]],
    },
    {
      title: "its endpoints instead of the host",
      spec: { hosts: ["a.com"], ports: [tcp(80)], resolution: "DNS", endpoints: [{ address: "b.com", ports: { tcp: 81 } }] },
      open: [["b.com", 81]],
    },
    {
      title: "literal endpoints",
      spec: { hosts: ["a.com"], ports: [tcp(80)], resolution: "STATIC", endpoints: [{ address: "203.0.113.9" }] },
      open: [["203.0.113.9", 80]],
    },
    {
      title: "literal addresses without resolution",
      spec: { hosts: ["a.com"], ports: [tcp(80)], addresses: ["203.0.113.9", "203.0.113.0/24"] },
      open: [
        ["203.0.113.9", 80],
        ["a.com", 80],
      ],
    },
    { title: "no wildcard", spec: { hosts: ["*.a.com"], ports: [tcp(80)], resolution: "NONE" }, open: [] },
    {
      title: "nothing that belongs to the pods' or the own network",
      spec: { hosts: ["a.com"], ports: [tcp(80)], resolution: "STATIC", endpoints: [{ address: "10.244.0.1" }, { address: "127.0.0.1" }] },
      open: [],
    },
    { title: "nothing that selects workloads", spec: { hosts: ["a.com"], ports: [tcp(80)], workloadSelector: { labels: {} } }, open: [] },
  ])("opens $title", ({ spec, open }) => {
    expect(openOf(spec)).toEqual(open);
  });

  test("a host's relay address depends on its name alone, and no two hosts share one", () => {
    const hosts = Array.from({ length: 2000 }, (_, i) => `h${i}.example.com`);
    const table = toOutsideTable([entry({ hosts, ports: [tcp(443)], resolution: "DNS" })], "10.245");
    expect(new Set(table.map(({ address }) => address)).size).toBe(2000);
    expect(toOutsideTable([entry({ hosts: ["h7.example.com"], ports: [tcp(443)], resolution: "DNS" })], "10.245")[0]?.address).toBe(
      table.find(({ host }) => host === "h7.example.com")?.address,
    );
  });
});

describe("findRealAddress", () => {
  const table = toOutsideTable([entry({ hosts: ["db.example.com"], ports: [tcp(5432)], resolution: "DNS" })], "10.245");

  test.each([
    {
      title: "the host itself where nothing is mapped",
      hosts: {},
      asked: { host: "db.example.com", port: 5432 },
      real: { host: "db.example.com", port: 5432 },
    },
    {
      title: "the mapped address",
      hosts: { "db.example.com": "127.0.0.1:6000" },
      asked: { host: "db.example.com", port: 5432 },
      real: { host: "127.0.0.1", port: 6000 },
    },
    {
      title: "the mapping of the port, which wins",
      hosts: { "db.example.com": "x", "db.example.com:5432": "127.0.0.1" },
      asked: { host: "db.example.com", port: 5432 },
      real: { host: "127.0.0.1", port: 5432 },
    },
    { title: "nothing for a port that is not opened", hosts: {}, asked: { host: "db.example.com", port: 22 }, real: undefined },
    {
      title: "nothing for a host that is mapped but not opened",
      hosts: { "evil.com": "127.0.0.1" },
      asked: { host: "evil.com", port: 5432 },
      real: undefined,
    },
  ])("gives $title", ({ hosts, asked, real }) => {
    expect(findRealAddress(table, hosts as Record<string, string>, asked)).toEqual(real);
  });
});
