import { describe, expect, test } from "vitest";
import { findProxy } from "./find-proxy.ts";

const proxies = [
  { namespace: "shop", name: "users-5d4f-x2v7q", ready: false },
  { namespace: "shop", name: "users-5d4f-zzzzz", ready: true },
  { namespace: "shop", name: "users-admin-5d4f-aaaaa", ready: true },
  { namespace: "shop", name: "db-0", ready: true },
  { namespace: "other", name: "users-1", ready: true },
  { namespace: "long", name: `${"a".repeat(58)}x2v7q`, ready: true },
  { namespace: "long", name: `${"b".repeat(50)}-5d4f9bcx2v7q`, ready: true },
  { namespace: "other", name: "gateway-1", ready: true },
];

describe("findProxy", () => {
  test.each([
    { word: "users-5d4f-x2v7q", namespace: undefined, expected: "shop/users-5d4f-x2v7q" },
    { word: "pod/db-0", namespace: undefined, expected: "shop/db-0" },
    { word: "users", namespace: "shop", expected: "shop/users-5d4f-zzzzz" },
    { word: "users.shop", namespace: undefined, expected: "shop/users-5d4f-zzzzz" },
    { word: "deploy/users", namespace: "other", expected: "other/users-1" },
    { word: "gateway", namespace: undefined, expected: "other/gateway-1" },
    { word: "users-admin", namespace: undefined, expected: "shop/users-admin-5d4f-aaaaa" },
    { word: "a".repeat(70), namespace: undefined, expected: `long/${"a".repeat(58)}x2v7q` },
    { word: "b".repeat(50), namespace: undefined, expected: `long/${"b".repeat(50)}-5d4f9bcx2v7q` },
    { word: "db", namespace: undefined, expected: "shop/db-0" },
  ])("$word in $namespace is $expected", ({ word, namespace, expected }) => {
    const found = findProxy(word, namespace, proxies);
    expect(`${found.namespace}/${found.name}`).toBe(expected);
  });

  test.each([
    { word: "users", namespace: undefined, message: '"users" is a workload of other, shop' },
    { word: "user", namespace: "other", message: '(did you mean "users"?)' },
    { word: "gateway", namespace: "shop", message: 'no workload "gateway" with a proxy in namespace shop: it is in namespace other' },
    { word: "", namespace: "shop", message: "no workload" },
    { word: "db", namespace: "other", message: ": it is in namespace shop" },
    { word: "unheard", namespace: "othr", message: '(did you mean namespace "other"?)' },
  ])("$word in $namespace is refused", ({ word, namespace, message }) => {
    expect(() => findProxy(word, namespace, proxies)).toThrow(message);
  });
});
