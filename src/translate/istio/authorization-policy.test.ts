import { RE2JS } from "re2js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Policies } from "../../ir/policy.ts";
import { resourcesOf } from "../../testing/mesh.ts";
import { type ServingEnvoy, startServingEnvoy } from "../../testing/serving-envoy.ts";
import { hostMatches } from "../envoy/rbac-regex.ts";
import type { AuthorizationPolicy } from "./authorization-policy-rule.ts";
import { toAuthorization } from "./authorization-policy.ts";
import { toPathMatch, toPrincipalMatches, toServiceAccountMatch } from "./authorization-policy-value.ts";
import { fc } from "../../testing/property.ts";

const policy = (spec: object, name = "p", annotations = {}) =>
  resourcesOf(
    JSON.stringify({
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name, namespace: "shop", annotations },
      spec,
    }),
  ) as readonly AuthorizationPolicy[];

const authorization = (
  policies: readonly AuthorizationPolicy[],
  over: { defaultDeny?: boolean; hasTcpPorts?: boolean; boundPorts?: Record<number, number> } = {},
) =>
  toAuthorization({
    policies,
    trustDomains: ["mesh.example", "old.example"],
    boundPorts: {},
    defaultDeny: true,
    hasTcpPorts: true,
    authorizers: new Map(),
    ...over,
  });

describe("toAuthorization", () => {
  test("in zero-trust what no policy allows is refused by name; in Istio's profile it passes", () => {
    const strict = authorization([]);
    for (const { allow } of [strict.http, strict.tcp])
      expect(allow).toMatchObject({ enforced: true, policies: [], refusal: { name: "Profile/zero-trust" } });
    expect(authorization([], { defaultDeny: false }).http.allow).toEqual({ enforced: false, policies: [] });
  });

  test("an ALLOW without rules allows nothing, and one with an empty rule allows all", () => {
    expect(authorization(policy({}), { defaultDeny: false }).http.allow).toMatchObject({
      enforced: true,
      policies: [],
      refusal: { name: "ns[shop]-policy[p]" },
    });
    expect(authorization(policy({ rules: [{}] })).http.allow.policies).toMatchObject([
      { name: "ns[shop]-policy[p]-rule[0]", when: { kind: "any" } },
    ]);
  });

  test("a DENY without rules denies nothing", () => {
    expect(authorization(policy({ action: "DENY" })).http.deny).toEqual({ enforced: false, policies: [] });
  });

  test("CUSTOM refuses what its rules match where its authorizer isn't there, and says so", () => {
    const { http, findings } = authorization(
      policy({ action: "CUSTOM", provider: { name: "x" }, rules: [{ to: [{ operation: { paths: ["/admin"] } }] }] }),
    );
    expect(http.custom.policies).toMatchObject([{ when: { kind: "path" } }]);
    expect(findings[0]?.code).toBe("KMK3001");
  });

  test.each([
    { action: "DENY", spelling: "true" },
    { action: "DENY", spelling: "True" },
    { action: "ALLOW", spelling: "1" },
  ] as const)("a $action on trial ($spelling) is counted and decides nothing", ({ action, spelling }) => {
    const onTrial = policy({ action, rules: [{}] }, "p", { "istio.io/dry-run": spelling });
    const { http, tcp, findings } = authorization(onTrial, { defaultDeny: false });
    for (const { deny, allow } of [http, tcp]) {
      expect([deny.enforced, allow.enforced]).toEqual([false, false]);
      expect((action === "DENY" ? deny : allow).trial?.policies.map(({ name }) => name)).toEqual(["ns[shop]-policy[p]-rule[0]"]);
    }
    expect(findings).toEqual([]);
  });

  test("an ALLOW on trial opens nothing, and stands beside those in force", () => {
    const both = [...policy({ rules: [{}] }, "tried", { "istio.io/dry-run": "true" }), ...policy({ action: "DENY", rules: [{}] }, "real")];
    const { http } = authorization(both);
    expect(http.allow).toMatchObject({ enforced: true, policies: [], refusal: { name: "Profile/zero-trust" } });
    expect(http.deny.policies.map(({ name }) => name)).toEqual(["ns[shop]-policy[real]-rule[0]"]);
    expect(http.deny.trial).toBeUndefined();
  });

  test("a trial ends where the annotation says so", () => {
    const { http } = authorization(policy({ action: "DENY", rules: [{}] }, "p", { "istio.io/dry-run": "false" }));
    expect(http.deny.enforced).toBe(true);
  });

  test("an authorizer is asked by no policy on trial, and that is said", () => {
    const { http, findings } = authorization(policy({ action: "CUSTOM", rules: [{}] }, "p", { "istio.io/dry-run": "true" }));
    expect(http.custom.enforced).toBe(false);
    expect(findings.map(({ code }) => code)).toEqual(["KMK1003"]);
  });

  const HTTP_FIELDS = [
    { field: "paths", rule: (key: string) => ({ to: [{ operation: { [key]: ["/a"], ports: ["9000"] } }] }), negated: "notPaths" },
    { field: "methods", rule: (key: string) => ({ to: [{ operation: { [key]: ["GET"], ports: ["9000"] } }] }), negated: "notMethods" },
    { field: "hosts", rule: (key: string) => ({ to: [{ operation: { [key]: ["a.com"], ports: ["9000"] } }] }), negated: "notHosts" },
    {
      field: "requestPrincipals",
      rule: (key: string) => ({ from: [{ source: { [key]: ["a/b"] } }], to: [{ operation: { ports: ["9000"] } }] }),
      negated: "notRequestPrincipals",
    },
    {
      field: "values",
      rule: (key: string) => ({ when: [{ key: "request.headers[x]", [key]: ["a"] }], to: [{ operation: { ports: ["9000"] } }] }),
      negated: "notValues",
    },
    {
      field: "values",
      rule: (key: string) => ({ when: [{ key: "request.auth.claims[x]", [key]: ["a"] }], to: [{ operation: { ports: ["9000"] } }] }),
      negated: "notValues",
    },
  ];
  const cells = HTTP_FIELDS.flatMap(({ field, negated, rule }) =>
    [field, negated].flatMap((key) => ["ALLOW", "DENY"].map((action) => ({ key, action, spec: { action, rules: [rule(key)] } }))),
  );
  test.each(cells)("on TCP $action with $key never widens and is said", ({ action, spec }) => {
    const { tcp, http, findings } = authorization(policy(spec));
    const kept = [{ when: { kind: "destination-port", port: 9000 } }];
    expect([tcp.allow.policies, tcp.deny.policies]).toMatchObject(action === "ALLOW" ? [[], []] : [[], kept]);
    expect(http[action === "ALLOW" ? "allow" : "deny"].policies).toHaveLength(1);
    expect(findings.map(({ code }) => code)).toEqual(["KMK3001"]);
  });

  test("what TCP can't say concerns nobody where no port is TCP", () => {
    expect(authorization(policy({ rules: [{ to: [{ operation: { paths: ["/"] } }] }] }), { hasTcpPorts: false }).findings).toEqual([]);
  });

  test.each([
    { title: "a bad address", rules: [{ from: [{ source: { ipBlocks: ["1.2.3"] } }] }] },
    { title: "a bad port", rules: [{ to: [{ operation: { ports: ["http"] } }] }] },
    { title: "an unknown condition", rules: [{ when: [{ key: "request.colour", values: ["red"] }] }] },
    { title: "a condition by a name of Object", rules: [{ when: [{ key: "constructor", values: ["red"] }] }] },
  ])("$title in an ALLOW allows nothing, in a DENY denies all", ({ rules }) => {
    const allow = authorization(policy({ rules }));
    expect(allow.http.allow.policies).toEqual([]);
    expect(allow.findings.map(({ code }) => code)).toEqual(["KMK3001"]);
    expect(authorization(policy({ action: "DENY", rules })).http.deny.policies).toMatchObject([{ when: { kind: "any" } }]);
  });

  test("where the sidecar binds another port, that is the port of a connection", () => {
    const { http } = authorization(policy({ rules: [{ to: [{ operation: { ports: ["8080"] } }] }] }), { boundPorts: { 8080: 31_001 } });
    expect(http.allow.policies).toMatchObject([{ when: { kind: "destination-port", port: 31_001 } }]);
  });

  test("one source that asks for nothing makes all sources do so", () => {
    const { http } = authorization(policy({ action: "DENY", rules: [{ from: [{ source: { namespaces: ["a"] } }, { source: {} }] }] }));
    expect(http.deny.policies).toMatchObject([{ when: { kind: "any" } }]);
  });
});

describe("values", () => {
  test("a principal of the mesh stands for its domain and all aliases, whatever of them it names", () => {
    for (const domain of ["cluster.local", "mesh.example", "old.example"]) {
      expect(toPrincipalMatches(`${domain}/ns/a/sa/b`, ["mesh.example", "old.example"]).map(({ value }) => value)).toEqual([
        "spiffe://mesh.example/ns/a/sa/b",
        "spiffe://old.example/ns/a/sa/b",
      ]);
    }
    expect(toPrincipalMatches("other.example/ns/a/sa/b", ["mesh.example"]).map(({ value }) => value)).toEqual([
      "spiffe://other.example/ns/a/sa/b",
    ]);
  });

  test("every literal in a pattern matches itself alone", () => {
    const literal = fc.string({ unit: fc.constantFrom(..."ab.*+?()[]{}|^$\\-"), minLength: 1, maxLength: 12 });
    const matches = (pattern: string, text: string) => RE2JS.compile(pattern).matcher(text).matches();
    fc.assert(
      fc.property(literal, literal, (account, other) => {
        const { value } = toServiceAccountMatch(`shop/${account}`, "");
        expect(matches(value, `spiffe://d/ns/shop/sa/${account}`)).toBe(true);
        expect(matches(value, `spiffe://d/ns/shop/sa/${other}`)).toBe(account === other);
        const wildcard = hostMatches({ kind: "suffix", value: account }).find((match) => match.kind === "regex")?.value ?? "";
        expect(matches(wildcard, `x${account}:80`)).toBe(true);
      }),
    );
  });

  test.each([
    { path: "/a/{*}/c", yes: ["/a/b/c"], no: ["/a/c", "/a/b/b/c", "/a//c"] },
    { path: "/a/{**}", yes: ["/a/", "/a/b/c"], no: ["/a", "/b/a/"] },
    { path: "/a.b/{*}", yes: ["/a.b/x"], no: ["/aXb/x"] },
  ])("template $path", ({ path, yes, no }) => {
    const pattern = RE2JS.compile(toPathMatch(path).value);
    for (const text of yes) expect(pattern.matcher(text).matches()).toBe(true);
    for (const text of no) expect(pattern.matcher(text).matches()).toBe(false);
  });
});

describe("on a real Envoy", () => {
  let envoy: ServingEnvoy;
  beforeAll(async () => {
    envoy = await startServingEnvoy({
      profile: "zero-trust",
      pathNormalization: "decode-and-merge-slashes",
      protocolDetectionTimeoutMs: 0,
      maxConnectionDurationMs: 0,
    });
  });
  afterAll(() => envoy.close());

  const enforce = (policies: readonly AuthorizationPolicy[], over = {}) => {
    const { http } = authorization(policies, { defaultDeny: false, ...over });
    return envoy.setPolicies({ authentication: { providers: [], origin: [] }, ...http } satisfies Policies);
  };

  test("nothing passes without a policy in zero-trust, everything in Istio's profile", async () => {
    await enforce([], { defaultDeny: true });
    expect((await envoy.send("/")).status).toBe(403);
    await enforce([]);
    expect((await envoy.send("/")).status).toBe(200);
  });

  test("a DENY of a path holds for every spelling that an application may take for it", async () => {
    await enforce(policy({ action: "DENY", rules: [{ to: [{ operation: { paths: ["/admin"] } }] }] }));
    const spellings = [
      "/admin",
      "/admin?x=1",
      "/./admin",
      "/x/../admin",
      "/%2e/admin",
      "/%61dmin",
      "//admin",
      "/\\admin",
      "/%2fadmin",
      "/x%2f..%2fadmin",
      "/x%5c..%5cadmin",
      "/..%2fadmin",
      "/x/..;/admin",
    ];
    for (const path of spellings) expect({ path, status: (await envoy.send(path)).status }).toEqual({ path, status: 403 });
    expect((await envoy.send("/public")).status).toBe(200);
  });

  test("a DENY of a host holds with a port, a final dot and in any case", async () => {
    await enforce(policy({ action: "DENY", rules: [{ to: [{ operation: { hosts: ["secret.com", "*.hidden.com"] } }] }] }));
    for (const host of ["secret.com", "Secret.COM", "secret.com:80", "secret.com.", "a.hidden.com", "A.HIDDEN.com:8080"])
      expect({ host, status: (await envoy.send("/", { host })).status }).toEqual({ host, status: 403 });
    for (const host of ["xsecret.com", "secret.com.evil.org", "hidden.com"])
      expect({ host, status: (await envoy.send("/", { host })).status }).toEqual({ host, status: 200 });
  });

  test("methods, headers, addresses and ports by value and by its negation", async () => {
    await enforce(
      policy({
        rules: [
          {
            to: [{ operation: { methods: ["GET"], ports: [String(envoy.port)] } }],
            from: [{ source: { ipBlocks: ["127.0.0.0/8"] } }],
            when: [{ key: "request.headers[x-role]", notValues: ["guest*"] }],
          },
        ],
      }),
    );
    expect((await envoy.send("/")).status).toBe(200);
    expect((await envoy.send("/", {}, "POST")).status).toBe(403);
    expect((await envoy.send("/", { "x-role": "guest-1" })).status).toBe(403);
    expect((await envoy.send("/", { x_role: "guest" })).status).toBe(400);
    await enforce(policy({ rules: [{ from: [{ source: { notIpBlocks: ["127.0.0.1"] } }] }] }));
    expect((await envoy.send("/")).status).toBe(403);
  });

  test("an address that a client claims to have is not believed", async () => {
    await enforce(policy({ rules: [{ from: [{ source: { ipBlocks: ["10.0.0.1"] } }] }] }));
    expect((await envoy.send("/", { "x-forwarded-for": "10.0.0.1" })).status).toBe(403);
  });

  test("a caller's identity that a client makes up does not arrive", async () => {
    await enforce([]);
    const { seen } = await envoy.send("/", { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/a/sa/b" });
    expect(seen.headers).not.toHaveProperty("x-forwarded-client-cert");
  });
});
