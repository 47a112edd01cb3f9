import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { RouteConfigurationSchema } from "../gen/envoy/config/route/v3/route_pb.js";
import { findVirtualHost, withoutPort } from "./virtual-host-match.ts";

const table = (ignorePortInHostMatching: boolean, ...hosts: readonly (readonly string[])[]) =>
  create(RouteConfigurationSchema, {
    ignorePortInHostMatching,
    virtualHosts: hosts.map((domains) => ({ name: domains.join(" "), domains: [...domains] })),
  });

const HOSTS = [["*.test"], ["*.wild.test"], ["a.wild.test", "B.Test:80"], ["pre.*"], ["pre.longer.*"], ["*"]] as const;

describe("findVirtualHost", () => {
  test.each([
    { authority: "a.wild.test", expected: "a.wild.test B.Test:80" },
    { authority: "A.WILD.test", expected: "a.wild.test B.Test:80" },
    { authority: "b.test:80", expected: "a.wild.test B.Test:80" },
    { authority: "x.wild.test", expected: "*.wild.test" },
    { authority: "x.y.wild.test", expected: "*.wild.test" },
    { authority: ".wild.test", expected: "*.test" },
    { authority: "wild.test", expected: "*.test" },
    { authority: "pre.x", expected: "pre.*" },
    { authority: "pre.longer.x", expected: "pre.longer.*" },
    { authority: "pre.longer.test", expected: "*.test" },
    { authority: "pre.", expected: "*" },
    { authority: "a.wild.test:80", expected: "*" },
  ])("$authority is served by $expected", ({ authority, expected }) => {
    expect(findVirtualHost(table(false, ...HOSTS), authority)?.host.name).toBe(expected);
  });

  test("compares without the port where told so", () => {
    expect(findVirtualHost(table(true, ["a.test"]), "a.test:8080")?.index).toBe(0);
  });

  test("finds nothing where nobody answers for a host", () => {
    expect(findVirtualHost(table(false, ["a.test"]), "b.test")).toBeUndefined();
  });
});

test.each([
  ["a:80", "a"],
  ["a", "a"],
  ["a:", "a:"],
  ["[::1]:80", "[::1]"],
  ["[::1]", "[::1]"],
  ["::1", "::1"],
  ["a:x", "a:x"],
])("%s without its port is %s", (authority, expected) => {
  expect(withoutPort(authority)).toBe(expected);
});
