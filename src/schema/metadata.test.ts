import { describe, expect, test } from "vitest";
import { checkDocument } from "./check-document.ts";

const locate = () => ({ file: "a.yaml", line: 1, column: 1 });
const check = (value: unknown) => checkDocument({ value, locate });
const errors = (value: unknown) => check(value).diagnostics.filter(({ severity }) => severity === "error");

const bodies = {
  ConfigMap: { apiVersion: "v1" },
  Secret: { apiVersion: "v1" },
  ServiceAccount: { apiVersion: "v1" },
  Namespace: { apiVersion: "v1" },
  Service: { apiVersion: "v1", spec: { ports: [{ port: 80 }] } },
  DestinationRule: { apiVersion: "networking.istio.io/v1", spec: { host: "a" } },
  VirtualService: { apiVersion: "networking.istio.io/v1", spec: { hosts: ["a"], http: [{ route: [{ destination: { host: "a" } }] }] } },
  Pod: { apiVersion: "v1", spec: { containers: [{ name: "a", image: "a" }] } },
} as const;
const named = (kind: keyof typeof bodies, name: unknown, more: object = {}) => ({
  kind,
  ...bodies[kind],
  metadata: { name, ...more },
});
const long = (length: number) => "a".repeat(length);

describe("names that Kubernetes takes are taken", () => {
  test.each<readonly [keyof typeof bodies, string]>([
    ["DestinationRule", "istio-subset-split-in-stable-downscale-after-canary-abort-destrule"],
    ["VirtualService", "reviews.prod.v1"],
    ["ConfigMap", long(253)],
    ["Secret", `${long(64)}.b`],
    ["ServiceAccount", long(64)],
    ["Pod", "1.2"],
    ["Service", long(63)],
    ["Service", "1a"],
    ["Namespace", "1"],
  ])("%s %s", (kind, name) => {
    expect(errors(named(kind, name))).toEqual([]);
    expect(check(named(kind, name)).resource?.metadata.name).toBe(name);
  });
});

describe("of a name that it doesn't take it is said what is wrong", () => {
  test.each<readonly [keyof typeof bodies, unknown, string]>([
    ["Service", long(64), "it has 64 characters, and may have 63"],
    ["Namespace", long(64), "it has 64 characters, and may have 63"],
    ["ConfigMap", long(254), "it has 254 characters, and may have 253"],
    ["Service", "a.b", "it may have no dots"],
    ["Namespace", "-a", "begin and end it with a letter or a digit"],
    ["VirtualService", "a..b", "begin and end it, and what stands between dots, with a letter or a digit"],
    ["VirtualService", "Reviews", "write it in small letters"],
    ["VirtualService", "a_b", "use small letters, digits, dashes and dots"],
    ["Namespace", "a_b", "use small letters, digits and dashes"],
    ["ConfigMap", "", "begin and end it, and what stands between dots, with a letter or a digit"],
    ["ConfigMap", 5, "put it in quotes"],
    ["ConfigMap", undefined, "add a name"],
  ])("%s %s", (kind, name, help) => {
    expect(errors(named(kind, name))).toMatchObject([{ code: "KMK1001", help }]);
  });

  test("and of a namespace", () => {
    expect(errors(named("ConfigMap", "a", { namespace: long(64) }))).toMatchObject([{ help: "it has 64 characters, and may have 63" }]);
  });

  test("and of one that a cluster would make", () => {
    expect(errors(named("Pod", undefined, { generateName: "a-" }))).toMatchObject([{ help: expect.stringContaining("generateName") }]);
  });
});

describe("null is absent", () => {
  test("among a Secret's and a ConfigMap's values", () => {
    for (const kind of ["Secret", "ConfigMap"] as const) {
      const { resource, diagnostics } = check({ ...named(kind, "a"), data: { a: null, b: "YQ==" } });
      expect(diagnostics).toEqual([]);
      expect(resource?.body).toEqual({ data: { b: "YQ==" } });
    }
  });

  test("but a Secret for TLS needs its key", () => {
    const document = { ...named("Secret", "a"), type: "kubernetes.io/tls", data: { "tls.crt": "YQ==", "tls.key": null } };
    expect(errors(document)).toMatchObject([{ message: "a Secret of type kubernetes.io/tls needs tls.key" }]);
  });

  test("among annotations", () => {
    const { resource, diagnostics } = check(named("ConfigMap", "a", { annotations: { d: null, e: "f" } }));
    expect(diagnostics).toEqual([]);
    expect(Object.entries(resource?.metadata.annotations ?? {})).toEqual([["e", "f"]]);
  });

  test("but not among what selects: without a label more would be selected", () => {
    expect(errors(named("ConfigMap", "a", { labels: { a: null } }))).toHaveLength(1);
    expect(errors({ ...named("Service", "a"), spec: { ports: [{ port: 80 }], selector: { app: null } } })).toHaveLength(1);
    const policy = { apiVersion: "security.istio.io/v1", kind: "PeerAuthentication", metadata: { name: "a" } };
    expect(errors({ ...policy, spec: { selector: { matchLabels: { app: null } } } })).toHaveLength(1);
  });
});

test("the owner of what a controller made is the one that says so; what is no reference owns nothing", () => {
  const users = { apiVersion: "apps/v1", kind: "Deployment", name: "users" };
  const ownerOf = (ownerReferences: unknown) => check(named("Pod", "users-0", { ownerReferences })).resource?.metadata.owner;
  expect(
    ownerOf([
      { ...users, name: "other" },
      { ...users, controller: true, uid: "1" },
    ]),
  ).toEqual(users);
  for (const none of [
    undefined,
    null,
    {},
    "users",
    [],
    [null],
    [users],
    [{ ...users, controller: "true" }],
    [{ ...users, name: 1, controller: true }],
  ])
    expect(ownerOf(none)).toBeUndefined();
});
