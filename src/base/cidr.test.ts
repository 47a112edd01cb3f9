import { isIP } from "node:net";
import { describe, expect, test } from "vitest";
import { type Cidr, cidrContains, formatIpv4, isIp, isIpv4Loopback, isLoopback, parseCidr } from "./cidr.ts";
import { fc } from "../testing/property.ts";

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`not a CIDR: ${text}`);
  return parsed;
};

describe("parseCidr", () => {
  test.each([
    "10.0.0.0/33",
    "10.0.0/8",
    "10.0.0.0/",
    "10.0.0.0/08",
    "01.2.3.4",
    "256.0.0.1",
    "::1::",
    "fe80::1%eth0",
    "[::1]",
    "a/8",
    "",
    "1:2:3:4:5:6:7:8:9",
    "::/129",
  ])("refuses %j", (text) => expect(parseCidr(text)).toBeUndefined());

  test("clears the bits behind the prefix", () => {
    expect(cidr("10.1.2.3/8")).toEqual(cidr("10.0.0.0/8"));
  });
});

describe("cidrContains", () => {
  test.each([
    ["10.0.0.0/8", "10.244.0.4", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["0.0.0.0/0", "1.2.3.4/16", true],
    ["10.0.0.0/16", "10.0.0.0/8", false],
    ["2001:db8::/32", "2001:db8:1::5", true],
    ["::/0", "10.0.0.1", false],
    ["::ffff:10.0.0.0/104", "::ffff:10.9.9.9", true],
  ])("%s contains %s: %s", (outer, inner, expected) => {
    expect(cidrContains(cidr(outer), cidr(inner))).toBe(expected);
  });
});

test("isIp agrees with Node on addresses and near misses", () => {
  const piece = fc.constantFrom("", "0", "1", "01", "255", "256", "ffff", "g", "10.0.0.1", "1.2.3");
  const text = fc.tuple(fc.array(piece, { maxLength: 9 }), fc.constantFrom(".", ":")).map(([pieces, separator]) => pieces.join(separator));
  const property = fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6()), (address) => isIp(address) === (isIP(address) !== 0));
  expect(() => fc.assert(property, { numRuns: 3000, examples: [["10.0.0.1::"], ["::10.0.0.1"], ["1::"], [":::"]] })).not.toThrow();
});

test.each([
  ["127.0.0.1", true, true],
  ["127.255.255.254", true, true],
  ["::1", true, false],
  ["0:0:0:0:0:0:0:1", true, false],
  ["::ffff:127.0.0.1", false, false],
  ["0.0.0.1", false, false],
  ["128.0.0.1", false, false],
  ["127.0.0.256", false, false],
  ["127.example.com", false, false],
  ["localhost", false, false],
])("%s is a loopback address: %s, and one of IPv4: %s", (address, any, ofIpv4) => {
  expect([isLoopback(address), isIpv4Loopback(address)]).toEqual([any, ofIpv4]);
});

test("an IPv4 address is written as it was read", () => {
  expect(formatIpv4(cidr("10.244.0.7").address)).toBe("10.244.0.7");
  expect(formatIpv4(cidr("240.0.0.1").address)).toBe("240.0.0.1");
});
