import { describe, expect, test } from "vitest";
import { HostTable, compareHostSpecificity, findMostSpecificHost, hostMatches, hostsIntersect, intersectHosts } from "./host-match.ts";

describe("hostMatches", () => {
  test.each([
    ["a.example.com", "a.example.com", true],
    ["a.example.com", "A.Example.COM", true],
    ["*", "anything", true],
    ["*", "*.example.com", true],
    ["*.example.com", "a.example.com", true],
    ["*.example.com", "a.b.example.com", true],
    ["*.example.com", "example.com", false],
    ["*.example.com", "*.a.example.com", true],
    ["*.a.example.com", "*.example.com", false],
    ["*.example.com", "aexample.com", false],
    ["*.example.com", ".example.com", false],
    ["a.example.com", "*", false],
  ])("%s covers %s: %s", (pattern, host, expected) => {
    expect(hostMatches(pattern, host)).toBe(expected);
  });
});

test("the most specific host comes first", () => {
  const sorted = ["*", "*.com", "b.com", "*.example.com", "a.com"].toSorted(compareHostSpecificity);
  expect(sorted).toEqual(["a.com", "b.com", "*.example.com", "*.com", "*"]);
});

test("the most specific pattern that covers a host is found", () => {
  expect(findMostSpecificHost("a.b.com", ["*", "*.com", "*.b.com", "c.com"])).toBe("*.b.com");
  expect(findMostSpecificHost("a.org", ["*.com"])).toBeUndefined();
});

test("two patterns intersect where one covers the other, and the narrower is what they share", () => {
  expect(hostsIntersect("*.com", "a.com")).toBe(true);
  expect(hostsIntersect("*.com", "*.org")).toBe(false);
  expect(intersectHosts("*", "*.com")).toBe("*.com");
  expect(intersectHosts("a.com", "*.com")).toBe("a.com");
  expect(intersectHosts("a.com", "b.com")).toBeUndefined();
});

test("a table answers as a scan over its patterns does", () => {
  const patterns = ["*", "*.com", "*.b.com", "a.b.com", "*.svc.cluster.local"];
  const table = new HostTable(patterns.map((pattern) => [pattern, pattern] as const));
  for (const host of ["a.b.com", "x.b.com", "b.com", "*.b.com", "*.com", "*", "x", "A.B.com", "", ".", "u.s.svc.cluster.local"]) {
    expect({ host, found: table.find(host) }).toEqual({ host, found: findMostSpecificHost(host, patterns) });
  }
});
