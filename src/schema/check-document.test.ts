import { describe, expect, test } from "vitest";
import type { JsonPath } from "../model/position.ts";
import { checkDocument } from "./check-document.ts";
import { kinds } from "./kinds.ts";
import { fc } from "../testing/property.ts";

const at = (path: JsonPath) => ({ file: "mesh.yaml", line: path.length + 1, column: 1 });
const check = (value: unknown) => checkDocument({ value, locate: at });
const codes = (value: unknown) => check(value).diagnostics.map(({ code, severity }) => `${code} ${severity}`);
const messages = (value: unknown) => check(value).diagnostics.map(({ message }) => message);

const resource = (kind: string, spec: unknown, over: object = {}) => {
  const found = kinds.find((known) => known.kind === kind);
  const apiVersion = found?.group === "" ? "v1" : `${found?.group}/${found?.versions[0]}`;
  return { apiVersion, kind, metadata: { name: "users", namespace: "shop" }, spec, ...over };
};
const destination = { host: "users", port: { number: 80 } };
const route = (http: object) => resource("VirtualService", { hosts: ["users"], http: [{ route: [{ destination }], ...http }] });

describe("a right document", () => {
  test("becomes a frozen resource of the newest version, in namespace default where it names none", () => {
    const { resource: found, diagnostics } = check({
      ...route({}),
      apiVersion: "networking.istio.io/v1alpha3",
      metadata: { name: "users" },
    });
    expect(diagnostics).toEqual([]);
    expect(found).toMatchObject({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "users", namespace: "default", labels: {} },
    });
    expect(Object.isFrozen(found?.body)).toBe(true);
  });

  test("has the same hash at another place, with other order of keys and with null fields, and another one with other content", () => {
    const one = check(route({ timeout: "5s" })).resource?.hash;
    const { apiVersion, kind, metadata, spec } = route({ timeout: "5s" });
    const other = checkDocument({
      value: { spec, metadata, kind, apiVersion, status: null },
      locate: () => ({ file: "b", line: 9, column: 9 }),
    });
    expect(other.resource?.hash).toBe(one);
    expect(check(route({ timeout: "6s" })).resource?.hash).not.toBe(one);
  });

  test.each(kinds.map(({ kind }) => kind))("%s is known", (kind) => {
    const spec: Readonly<Record<string, object>> = {
      Service: { spec: { ports: [{ port: 80 }], selector: { app: "users" } } },
      Pod: { spec: { containers: [{ name: "app", image: "users" }] } },
      EndpointSlice: { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }], ports: [{ port: 80 }] },
      Deployment: {
        spec: {
          selector: { matchLabels: { app: "u" } },
          template: { metadata: { labels: { app: "u" } }, spec: { containers: [{ name: "app", image: "u" }] } },
        },
      },
      StatefulSet: {
        spec: {
          serviceName: "u",
          selector: { matchLabels: { app: "u" } },
          template: { metadata: { labels: { app: "u" } }, spec: { containers: [{ name: "app", image: "u" }] } },
        },
      },
      Gateway: {
        spec: { selector: { istio: "ingress" }, servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }] },
      },
      VirtualService: { spec: { hosts: ["users"], http: [{ route: [{ destination }] }] } },
      DestinationRule: { spec: { host: "users", subsets: [{ name: "v1", labels: { version: "v1" } }] } },
      ServiceEntry: {
        spec: {
          hosts: ["api.example.com"],
          ports: [{ number: 443, name: "tls", protocol: "TLS" }],
          resolution: "DNS",
          location: "MESH_EXTERNAL",
        },
      },
      WorkloadEntry: { spec: { address: "10.0.0.1" } },
    };
    const over = spec[kind] ?? {};
    const { spec: _, ...document } = resource(kind, {});
    expect(codes({ ...document, ...over })).toEqual([]);
    expect(check({ ...document, ...over }).resource?.kind).toBe(kind);
  });
});

describe("an unknown field", () => {
  test("is a warning with a position and what was meant, and the rest works", () => {
    const { resource: found, diagnostics } = check(route({ timeuot: "5s" }));
    expect(found).toBeDefined();
    expect(diagnostics).toMatchObject([
      {
        code: "KMK1002",
        severity: "warning",
        message: expect.stringContaining("spec.http[0].timeuot"),
        help: "did you mean timeout?",
        position: { line: 5 },
        resource: { name: "users" },
      },
    ]);
  });

  test("in a rule of an ALLOW policy takes the rule away: without it more would be allowed", () => {
    const { resource: found, diagnostics } = check(
      resource("AuthorizationPolicy", {
        rules: [{ from: [{ source: { principals: ["a"], princpals: ["b"] } }] }, { to: [{ operation: { paths: ["/ok"] } }] }],
      }),
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(["KMK1002", "KMK3001"]);
    expect(found?.body).toEqual({ spec: { rules: [{ to: [{ operation: { paths: ["/ok"] } }] }] } });
  });

  test("directly under a policy's spec makes the policy unusable, and something stricter stands in", () => {
    const { resource: found, fallback } = check(resource("AuthorizationPolicy", { action: "DENY", rulse: [{}] }));
    expect(found).toBeUndefined();
    expect(fallback?.body).toEqual({ spec: { action: "DENY", rules: [{}] } });
  });
});

test("a field that is valid but not honoured is a warning, once for all items of a list", () => {
  const faulty = { route: [{ destination }], fault: { delay: { exponentialDelay: "1s" } } };
  const document = resource("VirtualService", { hosts: ["users"], http: [faulty, faulty] });
  expect(codes(document)).toEqual(["KMK1003 warning"]);
});

test("a field that matters to a cluster only is mentioned without alarm", () => {
  const document = resource("Pod", { containers: [{ name: "app", image: "u", resources: { limits: { cpu: 1, memory: "64Mi" } } }] });
  expect(codes(document)).toEqual(["KMK1003 info"]);
});

describe("a wrong field takes the resource out of use", () => {
  test.each([
    ["a number where a text belongs", route({ timeout: 5 }), "spec.http[0].timeout must be a text, and is a number"],
    ["a duration without a unit", route({ timeout: "5x" }), "spec.http[0].timeout is no duration"],
    ["an enum's near miss", resource("PeerAuthentication", { mtls: { mode: "STRIKT" } }), 'spec.mtls.mode can\'t be "STRIKT"'],
    [
      "a missing field",
      resource("VirtualService", { hosts: ["users"], http: [{ route: [{ weight: 1 }] }] }),
      "spec.http[0].route[0].destination is missing",
    ],
    ["two fields that exclude each other", route({ match: [{ uri: { exact: "/a", prefix: "/b" } }] }), "only one of"],
    ["a regular expression that RE2 refuses", route({ match: [{ uri: { regex: "(?=a)" } }] }), "no RE2 expression"],
    ["a regular expression of 1,025 characters", route({ match: [{ uri: { regex: "a".repeat(1025) } }] }), "more than 1024 characters"],
    [
      "weights that are all 0",
      route({
        route: [
          { destination, weight: 0 },
          { destination, weight: 0 },
        ],
      }),
      "all 0",
    ],
    ["host * for the mesh", resource("VirtualService", { hosts: ["*"], http: [{ route: [{ destination }] }] }), "only for gateways"],
    [
      "a subset that is declared twice",
      resource("DestinationRule", { host: "users", subsets: [{ name: "a" }, { name: "a" }] }),
      "declared twice",
    ],
    [
      "a port that is none",
      resource("ServiceEntry", { hosts: ["a.example"], ports: [{ number: 70_000, name: "x", protocol: "TCP" }] }),
      "70000 is no port",
    ],
    ["a fraction where a whole number belongs", resource("Deployment", { replicas: 1.5 }), "spec.replicas must be a whole number"],
    [
      "an unknown attribute in when",
      resource("AuthorizationPolicy", { rules: [{ when: [{ key: "request.header[x]", values: ["1"] }] }] }),
      "unknown attribute",
    ],
    ["an empty source", resource("AuthorizationPolicy", { rules: [{ from: [{ source: {} }] }] }), "is empty"],
    [
      "a server for HTTPS without TLS",
      resource("Gateway", { servers: [{ port: { number: 443, name: "s", protocol: "HTTPS" }, hosts: ["*"] }] }),
      "needs tls",
    ],
    [
      "a private key in a key set",
      resource("RequestAuthentication", { jwtRules: [{ issuer: "i", jwks: '{"keys":[{"kty":"EC","d":"SECRET"}]}' }] }),
      "is private",
    ],
    [
      "a selector that its template misses",
      resource("Deployment", { selector: { matchLabels: { a: "b" } }, template: { spec: { containers: [{ name: "x" }] } } }),
      "agree|asks for label",
    ],
    [
      "a service account with a path",
      resource("Pod", { serviceAccountName: "../admin", containers: [{ name: "x" }] }),
      '"../admin" is no service account',
    ],
    ["a container's name that is none", resource("Pod", { containers: [{ name: "a;b" }] }), "is no container name"],
    [
      "a label that is a number",
      { ...route({}), metadata: { name: "users", labels: { version: 1 } } },
      "metadata.labels.version must be a text",
    ],
    ["a name with a slash", { ...route({}), metadata: { name: "../users" } }, "metadata.name can't be"],
  ])("%s", (_, document, message) => {
    const { resource: found, diagnostics } = check(document);
    expect(found).toBeUndefined();
    expect(diagnostics.find(({ severity }) => severity === "error")?.message).toMatch(
      new RegExp(message.replaceAll(/[[\]().*]/g, String.raw`\$&`)),
    );
  });
});

test("no value of a Secret is repeated, however wrong it is", () => {
  const document = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s" },
    data: { a: "hunter2!", b: 31337 },
    stringData: { c: true },
  };
  expect(check(document).diagnostics.length).toBeGreaterThan(0);
  expect(JSON.stringify(check(document).diagnostics)).not.toMatch(/hunter2|31337/);
});

describe("where a wrong policy has no last good version", () => {
  test.each([
    [
      "a wrong ALLOW policy allows nothing",
      "AuthorizationPolicy",
      { selector: { matchLabels: { app: "u" } }, rules: [{ from: [] }] },
      { selector: { matchLabels: { app: "u" } }, action: "ALLOW" },
    ],
    [
      "a wrong DENY policy denies everything",
      "AuthorizationPolicy",
      { action: "DENY", rules: [{ when: [{ key: "no" }] }] },
      { action: "DENY", rules: [{}] },
    ],
    [
      "a wrong CUSTOM policy denies everything",
      "AuthorizationPolicy",
      { action: "CUSTOM", provider: { name: "p" }, rules: [{ to: [] }] },
      { action: "DENY", rules: [{}] },
    ],
    ["a wrong PeerAuthentication asks for mTLS", "PeerAuthentication", { mtls: { mode: "OFF" } }, { mtls: { mode: "STRICT" } }],
  ])("%s", (_, kind, spec, expected) => {
    expect(check(resource(kind, spec)).fallback?.body).toEqual({ spec: expected });
  });

  test.each(["targetRef", "targetRefs"])("a DENY policy for the Gateway API (%s) denies its whole namespace, and says so", (field) => {
    const target = { kind: "Gateway", name: "g" };
    const spec = {
      action: "DENY",
      [field]: field === "targetRef" ? target : [target],
      rules: [{ to: [{ operation: { paths: ["/a"] } }] }],
    };
    expect(check(resource("AuthorizationPolicy", spec)).fallback?.body).toEqual({ spec: { action: "DENY", rules: [{}] } });
    expect(messages(resource("AuthorizationPolicy", spec)).join()).toContain("denies everything in its namespace");
  });

  test("a policy for the Gateway API applies to nothing, and nothing stands in", () => {
    const { resource: found, fallback } = check(
      resource("AuthorizationPolicy", { targetRefs: [{ kind: "Gateway", name: "g" }], rules: [{}] }),
    );
    expect([found, fallback]).toEqual([undefined, undefined]);
  });
});

describe("a document that is no resource of ours", () => {
  test.each([
    ["a text", "hello", "info", "no apiVersion and kind"],
    ["nothing", null, "info", "no apiVersion and kind"],
    ["another tool's file", { name: "package", version: "1" }, "info", "no apiVersion and kind"],
    ["half a resource", { kind: "VirtualService", spec: {} }, "warning", "apiVersion or kind is missing"],
    ["a misspelt kind", { apiVersion: "networking.istio.io/v1", kind: "VirtualServce" }, "warning", "not known"],
    ["another version", { apiVersion: "networking.istio.io/v2", kind: "VirtualService" }, "warning", "not known"],
    ["a kind that comes later", { apiVersion: "networking.istio.io/v1", kind: "Sidecar" }, "warning", "is not read"],
    ["a kind for clusters", { apiVersion: "policy/v1", kind: "PodDisruptionBudget" }, "info", "on Kubernetes only"],
  ])("%s is skipped and said", (_, value, severity, message) => {
    expect(codes(value)).toEqual([`KMK1004 ${severity}`]);
    expect(messages(value)[0]).toContain(message);
  });
});

const mesh = (fields: object) => ({
  apiVersion: "mesh.istio.io/v1alpha1",
  kind: "MeshConfig",
  metadata: { name: "istio", namespace: "istio-system" },
  ...fields,
});

describe("MeshConfig", () => {
  test("fields of Istio's that have no effect yet are told from ones that don't exist", () => {
    expect(codes(mesh({ enableTracing: true, trustDomian: "x", defaultConfig: { concurrency: 2 } }))).toEqual([
      "KMK1002 warning",
      "KMK1003 warning",
      "KMK1003 warning",
    ]);
  });

  test("what is honoured passes without a word", () => {
    expect(
      codes(
        mesh({
          trustDomain: "example.org",
          outboundTrafficPolicy: { mode: "ALLOW_ANY" },
          defaultConfig: {
            gatewayTopology: { numTrustedProxies: 1 },
            terminationDrainDuration: "20s",
            proxyMetadata: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true", MINIMUM_DRAIN_DURATION: "10s" },
          },
        }),
      ),
    ).toEqual([]);
  });

  test.each([
    [{ ISTIO_META_DNS_CAPTURE: "true" }, ["KMK1003 warning"]],
    [{ EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "maybe" }, ["KMK1001 error"]],
    [{ MINIMUM_DRAIN_DURATION: "soon" }, ["KMK1001 error"]],
  ])("of proxyMetadata, %j is told of", (proxyMetadata, expected) => {
    expect(codes(mesh({ defaultConfig: { proxyMetadata } }))).toEqual(expected);
  });
});

describe("an authorizer of MeshConfig", () => {
  const http = (fields: object) =>
    mesh({ extensionProviders: [{ name: "a", envoyExtAuthzHttp: { service: "a.test", port: 80, ...fields } }] });
  test.each<readonly [string, object, readonly string[]]>([
    ["is read", http({ timeout: "1s", failOpen: true, statusOnError: "503", includeRequestHeadersInCheck: ["x-*"] }), []],
    [
      "of another kind has no effect",
      mesh({ extensionProviders: [{ name: "a", zipkin: { service: "z", port: 1 } }] }),
      ["KMK1003 warning"],
    ],
    ["has no unknown field", http({ includeHeaders: ["x"] }), ["KMK1002 warning"]],
    ["has a name", mesh({ extensionProviders: [{ envoyExtAuthzGrpc: { service: "a.test", port: 1 } }] }), ["KMK1001 error"]],
    ["has a port", mesh({ extensionProviders: [{ name: "a", envoyExtAuthzGrpc: { service: "a.test" } }] }), ["KMK1001 error"]],
    ["answers with a status that Envoy knows", http({ statusOnError: "599" }), ["KMK1001 error"]],
    ["sends headers that are some", http({ includeAdditionalHeadersInCheck: { "x y": "1" } }), ["KMK1001 error"]],
    ["sends no second line in a header", http({ includeAdditionalHeadersInCheck: { x: "1\r\ny: 2" } }), ["KMK1001 error"]],
    ["has a path that begins with a slash", http({ pathPrefix: "check" }), ["KMK1001 error"]],
  ])("%s", (_, document, expected) => {
    expect(codes(document)).toEqual(expected);
  });

  test("is named by a CUSTOM policy", () => {
    expect(codes(resource("AuthorizationPolicy", { action: "CUSTOM", rules: [{}] }))).toEqual(["KMK1001 error"]);
  });
});

describe("hostile documents", () => {
  test("a key that names the prototype is refused with its position", () => {
    const value: unknown = JSON.parse('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"__proto__":"y"}}');
    expect(check(value).diagnostics).toMatchObject([{ code: "KMK0003", message: "key __proto__ is not allowed", position: { line: 3 } }]);
  });

  test("100,000 levels are refused without a stack overflow", () => {
    let value: unknown = 1;
    for (let i = 0; i < 100_000; i++) value = [value];
    expect(codes({ apiVersion: "v1", kind: "ConfigMap", data: value })).toEqual(["KMK0003 error"]);
  });

  test("no document makes it throw, and one that is wrong says so", () => {
    const kind = fc.constantFrom(...kinds);
    const body = fc.dictionary(
      fc.constantFrom("spec", "data", "metadata", "endpoints", "trustDomain", "status"),
      fc.anything({ maxDepth: 4 }),
      { maxKeys: 4 },
    );
    const judge = () =>
      fc.assert(
        fc.property(kind, body, ({ group, versions, kind: name }, rest) => {
          const { resource: found, diagnostics } = check({
            apiVersion: group === "" ? versions[0] : `${group}/${versions[0]}`,
            kind: name,
            ...rest,
          });
          return found !== undefined || diagnostics.length > 0;
        }),
      );
    expect(judge).not.toThrow();
  });
});
