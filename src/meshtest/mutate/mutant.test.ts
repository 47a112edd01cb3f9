import { describe, expect, test } from "vitest";
import { schema as istioSchema } from "../../gen/schema/istio.js";
import type { LocatedResource } from "../../model/resource.ts";
import type { CompactNode } from "../../schema/compact.ts";
import { checkDocument } from "../../schema/index.ts";
import { meshConfigSchema } from "../../schema/mesh-config-schema.ts";
import { readText } from "../../source/index.ts";
import { mutantsOf } from "./mutant.ts";
import { OPERATORS } from "./operators.ts";

const NETWORKING = "networking.istio.io/v1";
const SECURITY = "security.istio.io/v1";

/** `body`: what stands beside apiVersion, kind and metadata, from line 4. */
function resourceOf(kind: string, apiVersion: string, body: string): LocatedResource {
  const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x, namespace: shop}\n${body}\n`;
  const { documents } = readText(text, "a.yaml");
  const [resource] = documents.flatMap((document) => checkDocument(document).resource ?? []);
  if (resource === undefined) throw new Error(`not usable: ${text}`);
  return resource;
}

function changesOf(resource: LocatedResource): readonly string[] {
  return mutantsOf(resource).map(({ position, change }) => `${position.line} ${change}`);
}

describe("the changes of a resource", () => {
  test.each([
    {
      title: "a policy that allows by caller, path and header",
      kind: "AuthorizationPolicy",
      apiVersion: SECURITY,
      body: `spec:
  rules:
    - from: [{source: {principals: [a, b], notNamespaces: [c]}}]
      to: [{operation: {paths: [/a*]}}]
      when: [{key: "request.headers[x-a]", values: ["1"], notValues: ["2"]}]`,
      changes: [
        "3 dropped",
        "4 spec.action ALLOW made DENY",
        "6 spec.rules[0] dropped",
        "6 spec.rules[0].from dropped",
        "7 spec.rules[0].to dropped",
        "8 spec.rules[0].when dropped",
        "6 spec.rules[0].from[0].source.principals dropped",
        "6 spec.rules[0].from[0].source.notNamespaces dropped",
        '6 spec.rules[0].from[0].source.principals[0] "a" dropped',
        '6 spec.rules[0].from[0].source.principals[1] "b" dropped',
        "8 spec.rules[0].when[0].values dropped",
        "8 spec.rules[0].when[0].notValues dropped",
        '7 spec.rules[0].to[0].operation.paths[0] "/a*" made "/a"',
      ],
    },
    {
      title: "a policy that denies",
      kind: "AuthorizationPolicy",
      apiVersion: SECURITY,
      body: "spec: {action: DENY, selector: {matchLabels: {app: a}}, rules: [{to: [{operation: {hosts: [a.test]}}]}, {}]}",
      changes: [
        "3 dropped",
        "4 spec.action DENY made ALLOW",
        "4 spec.rules[0] dropped",
        "4 spec.rules[1] dropped",
        "4 spec.rules[0].to dropped",
        '4 spec.rules[0].to[0].operation.hosts[0] "a.test" made "a.test*"',
        "4 spec.selector dropped",
      ],
    },
    {
      title: "mutual TLS with an exception",
      kind: "PeerAuthentication",
      apiVersion: SECURITY,
      body: "spec:\n  selector: {matchLabels: {app: a}}\n  mtls: {mode: STRICT}\n  portLevelMtls: {8080: {mode: DISABLE}}",
      changes: [
        "3 dropped",
        "6 spec.mtls.mode STRICT made PERMISSIVE",
        "6 spec.mtls dropped",
        "7 spec.portLevelMtls.8080.mode DISABLE made STRICT",
        "7 spec.portLevelMtls.8080 dropped",
      ],
    },
    {
      title: "token rules",
      kind: "RequestAuthentication",
      apiVersion: SECURITY,
      body: "spec:\n  jwtRules:\n    - {issuer: i, audiences: [a, b], fromHeaders: [{name: x}], forwardOriginalToken: true}",
      changes: [
        "3 dropped",
        "6 spec.jwtRules[0] dropped",
        "6 spec.jwtRules[0].audiences dropped",
        "6 spec.jwtRules[0].fromHeaders dropped",
        '6 spec.jwtRules[0].audiences[0] "a" dropped',
        '6 spec.jwtRules[0].audiences[1] "b" dropped',
        "6 spec.jwtRules[0].forwardOriginalToken dropped",
      ],
    },
    {
      title: "routes by conditions",
      kind: "VirtualService",
      apiVersion: NETWORKING,
      body: `spec:
  hosts: [a]
  http:
    - match: [{uri: {prefix: /a}, headers: {x-a: {exact: "1"}}}, {method: {regex: G.*}}]
      timeout: 1s
      route: [{destination: {host: a, subset: v1}, weight: 90}, {destination: {host: a, subset: v2}, weight: 10}]
    - rewrite: {uri: /b}
      headers: {request: {set: {x-b: secret}, remove: [x-c]}}
      route: [{destination: {host: a}}]`,
      changes: [
        "3 dropped",
        "7 spec.http[0] dropped",
        "10 spec.http[1] dropped",
        "7 spec.http[0] and [1] swapped",
        "7 spec.http[0].match dropped",
        "7 spec.http[0].match[0] dropped",
        "7 spec.http[0].match[1] dropped",
        "7 spec.http[0].match[0].uri dropped",
        "7 spec.http[0].match[0].headers.x-a dropped",
        '7 spec.http[0].match[0].uri prefix "/a" made exact',
        '7 spec.http[0].match[0].headers.x-a exact "1" made prefix',
        "9 weights 90, 10 of spec.http[0].route made equal",
        "9 spec.http[0].route[0] dropped",
        "9 spec.http[0].route[1] dropped",
        "9 spec.http[0].route[0].destination.subset dropped",
        "9 spec.http[0].route[1].destination.subset dropped",
        "8 spec.http[0].timeout dropped",
        "10 spec.http[1].rewrite dropped",
        "11 spec.http[1].headers dropped",
        "11 spec.http[1].headers.request.set.x-b dropped",
        '11 spec.http[1].headers.request.remove[0] "x-c" dropped',
      ],
    },
    {
      title: "subsets",
      kind: "DestinationRule",
      apiVersion: NETWORKING,
      body: "spec: {host: a, subsets: [{name: v1, labels: {version: v1}}], trafficPolicy: {tls: {mode: SIMPLE}, connectionPool: {tcp: {maxConnections: 1}}}}",
      changes: [
        "4 spec.trafficPolicy.tls.mode SIMPLE made DISABLE",
        "4 spec.trafficPolicy.tls dropped",
        "4 spec.subsets[0] dropped",
        "4 spec.subsets[0].labels.version dropped",
      ],
    },
    {
      title: "a gateway's servers",
      kind: "Gateway",
      apiVersion: NETWORKING,
      body: "spec:\n  servers:\n    - {port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test, b.test], tls: {httpsRedirect: true}}",
      changes: [
        "3 dropped",
        '6 spec.servers[0].hosts[0] "a.test" dropped',
        '6 spec.servers[0].hosts[1] "b.test" dropped',
        "6 spec.servers[0].tls.httpsRedirect dropped",
      ],
    },
    {
      title: "an outside host",
      kind: "ServiceEntry",
      apiVersion: NETWORKING,
      body: "spec: {hosts: [a.test, b.test], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}",
      changes: ["3 dropped", '4 spec.hosts[0] "a.test" dropped', '4 spec.hosts[1] "b.test" dropped', "4 spec.ports[0] dropped"],
    },
    {
      title: "the mesh's own settings",
      kind: "MeshConfig",
      apiVersion: "mesh.istio.io/v1alpha1",
      body: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}",
      changes: ["4 outboundTrafficPolicy.mode REGISTRY_ONLY made ALLOW_ANY", "4 outboundTrafficPolicy dropped"],
    },
    { title: "what is no rule", kind: "Service", apiVersion: "v1", body: "spec: {ports: [{port: 80}]}", changes: [] },
  ])("$title", ({ kind, apiVersion, body, changes }) => {
    expect(changesOf(resourceOf(kind, apiVersion, body))).toEqual(changes);
  });
});

describe("the order of two routes", () => {
  const swaps = (first: string, second: string) =>
    changesOf(
      resourceOf(
        "VirtualService",
        NETWORKING,
        `spec: {hosts: [a], http: [{match: [${first}], directResponse: {status: 200}}, {match: [${second}], directResponse: {status: 201}}]}`,
      ),
    ).some((change) => change.endsWith("swapped"));

  test.each([
    ["{uri: {exact: /a}}", "{uri: {exact: /b}}", false],
    ["{uri: {exact: /a}}", "{uri: {exact: /A}, ignoreUriCase: true}", true],
    ["{uri: {exact: /a}}", "{uri: {prefix: /b}}", false],
    ["{uri: {exact: /ab}}", "{uri: {prefix: /a}}", true],
    ["{uri: {prefix: /a}}", "{uri: {exact: /b}}", false],
    ["{uri: {prefix: /a}}", "{uri: {prefix: /ab}}", true],
    ["{uri: {prefix: /a}}", "{uri: {regex: /b}}", true],
    ["{method: {exact: GET}}", "{method: {exact: PUT}}", false],
    ["{uri: {exact: /a}}, {uri: {exact: /b}}", "{uri: {exact: /b}}", true],
    ["{headers: {x: {exact: a}}}", "{headers: {x: {exact: b}}}", true],
  ])("%s and %s", (first, second, isSwapped) => {
    expect(swaps(first, second)).toBe(isSwapped);
  });
});

test("every change leaves a document that can be used, or none, and no two the same", () => {
  const resource = resourceOf("AuthorizationPolicy", SECURITY, "spec: {rules: [{to: [{operation: {methods: [GET], paths: [/a]}}]}]}");
  const hashes = mutantsOf(resource).map((mutant) => mutant.resource?.hash ?? "none");
  expect(new Set(hashes).size).toBe(hashes.length);
  expect(hashes).not.toContain(resource.hash);
});

test("a resource that is changed stays as it was", () => {
  const resource = resourceOf("VirtualService", NETWORKING, "spec: {hosts: [a], http: [{route: [{destination: {host: a}}], timeout: 1s}]}");
  const before = JSON.stringify(resource.body);
  mutantsOf(resource);
  expect(JSON.stringify(resource.body)).toBe(before);
});

/** The step of a pattern that the kind's schema doesn't know. */
function unknownStep(kind: string, pattern: string): string | undefined {
  const schema = kind === "MeshConfig" ? meshConfigSchema : istioSchema;
  let nodes: readonly (CompactNode | undefined)[] = [schema.nodes[schema.kinds[kind] ?? -1]];
  for (const step of pattern === "" ? [] : pattern.split(/[.|]/)) {
    const names = step.startsWith("{") ? step.slice(1, -1).split(",") : [step];
    for (const name of names) if (!nodes.some((node) => childOf(node, name) !== undefined)) return name;
    nodes = nodes.flatMap((node) => names.flatMap((name) => childOf(node, name) ?? []).map((index) => schema.nodes[index]));
  }
  return undefined;
}

function childOf(node: CompactNode | undefined, name: string): readonly number[] | undefined {
  if (node?.is === "list") return name === "*" ? [node.items] : undefined;
  if (node?.is === "map") return name === "*" ? [node.values] : undefined;
  if (node?.is !== "object") return undefined;
  if (name === "*") return Object.values(node.fields);
  return Object.hasOwn(node.fields, name) ? [node.fields[name] ?? -1] : undefined;
}

test.each(OPERATORS.map(({ kind, at }) => [kind, at] as const))("the schema of %s has %s", (kind, at) => {
  expect(unknownStep(kind, at)).toBeUndefined();
});
