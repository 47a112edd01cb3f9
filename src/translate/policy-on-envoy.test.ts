import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EnvoyOracle, startEnvoyOracle } from "../testing/envoy-oracle.ts";
import { meshOf, sidecar } from "../testing/mesh.ts";
import { createTranslator } from "./index.ts";
import { fc } from "../testing/property.ts";

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom(
    "*",
    "**",
    "a*",
    "*a",
    "a*b",
    "",
    "/a/{*}/{**}",
    "{*}",
    "10.0.0.0/8",
    "10.0.0.0/33",
    "::1",
    "8080",
    "0",
    "70000",
    "cluster.local/ns/a/sa/b",
    "*/sa/b",
    "a/b",
    "(",
    "[",
    "\\",
    "a".repeat(400),
    `*.${"a".repeat(300)}`,
  ),
);
const texts = fc.array(text, { maxLength: 3 });
const fields = (names: readonly string[]) =>
  fc.record(
    Object.fromEntries(names.flatMap((name) => [name, `not${name[0]?.toUpperCase()}${name.slice(1)}`]).map((name) => [name, texts])),
    { requiredKeys: [] },
  );
const key = fc.oneof(
  fc.constantFrom(
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.principal",
    "request.auth.principal",
    "request.auth.audiences",
    "destination.port",
    "destination.ip",
    "connection.sni",
  ),
  text.map((name) => `request.headers[${name}]`),
  text.map((name) => `request.auth.claims[${name}][x]`),
  text,
);
const rule = fc.record(
  {
    from: fc.array(
      fc.record({ source: fields(["principals", "requestPrincipals", "namespaces", "serviceAccounts", "ipBlocks", "remoteIpBlocks"]) }),
      { maxLength: 2 },
    ),
    to: fc.array(fc.record({ operation: fields(["hosts", "ports", "methods", "paths"]) }), { maxLength: 2 }),
    when: fc.array(fc.record({ key, values: texts, notValues: texts }), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);
const policy = fc.record({ action: fc.constantFrom("ALLOW", "DENY", "CUSTOM"), rules: fc.array(rule, { maxLength: 3 }) });
const tokens = fc.record({
  jwtRules: fc.array(
    fc.record(
      {
        issuer: text,
        jwks: text,
        jwksUri: text,
        audiences: texts,
        fromHeaders: fc.array(fc.record({ name: text, prefix: text }), { maxLength: 2 }),
        fromParams: texts,
        fromCookies: texts,
        outputPayloadToHeader: text,
        outputClaimToHeaders: fc.array(fc.record({ header: text, claim: text }), { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
    { maxLength: 3 },
  ),
});

const resource = (kind: string, spec: unknown) =>
  JSON.stringify({ apiVersion: "security.istio.io/v1", kind, metadata: { name: kind.toLowerCase(), namespace: "shop" }, spec });
const POD = JSON.stringify({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "users-1", namespace: "shop" },
  spec: {
    containers: [
      {
        ports: [
          { name: "http", containerPort: 8080 },
          { name: "tcp", containerPort: 9000 },
        ],
      },
    ],
  },
  status: { podIP: "10.244.0.7" },
});

describe("whatever stands in a policy", () => {
  let oracle: EnvoyOracle;
  beforeAll(async () => {
    oracle = await startEnvoyOracle();
  });
  afterAll(() => oracle.close());

  test("is translated to what a real Envoy accepts", async () => {
    await fc.assert(
      fc.asyncProperty(policy, policy, tokens, async (one, other, jwt) => {
        const mesh = meshOf(
          [
            POD,
            resource("AuthorizationPolicy", one),
            resource("AuthorizationPolicy", other).replace('"authorizationpolicy"', '"second"'),
            resource("RequestAuthentication", jwt),
          ].join("\n---\n"),
        );
        const { snapshot } = createTranslator().translate(mesh, sidecar());
        expect((await oracle.judge(snapshot)).filter(({ outcome }) => outcome === "refused")).toEqual([]);
      }),
      {
        numRuns: 60,
        // A header's name that no request can have, which Envoy refuses in a rule.
        examples: [
          [
            { action: "DENY", rules: [] },
            { action: "ALLOW", rules: [{ when: [{ key: "request.headers[\u0000]", values: [], notValues: ["x"] }] }] },
            { jwtRules: [] },
          ],
        ],
      },
    );
  });
});
