import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { apiVersionOf, findKind, findKindByWord, kinds } from "./kinds.ts";
import { meshConfigSchema } from "./mesh-config-schema.ts";
import type { MeshConfigBody } from "./mesh-config.ts";

describe("a kind is found", () => {
  test.each([
    ["vs", "VirtualService"],
    ["VirtualServices", "VirtualService"],
    ["pod", "Pod"],
    ["po", "Pod"],
    ["gateways.networking.istio.io", "Gateway"],
    ["gateways.v1beta1.networking.istio.io", "Gateway"],
    ["serviceentries", "ServiceEntry"],
    ["gateways.gateway.networking.k8s.io", undefined],
    ["", undefined],
  ])("by the word %s", (word, kind) => {
    expect(findKindByWord(word)?.kind).toBe(kind);
  });

  test("by each of its versions, and read as the first", () => {
    const found = findKind("networking.istio.io/v1alpha3", "Gateway");
    expect(found && apiVersionOf(found)).toBe("networking.istio.io/v1");
    expect(findKind("networking.istio.io/v2", "Gateway")).toBeUndefined();
    expect(findKind("v1", "Gateway")).toBeUndefined();
  });
});

test("no two kinds share a word", () => {
  const words = kinds.flatMap(({ plural, singular, shortNames }) => [plural, singular, ...shortNames]);
  expect(new Set(words).size).toBe(words.length);
});

describe("editors have a JSON Schema", () => {
  test.each(kinds.map(({ kind }) => kind).filter((kind) => kind !== "MeshConfig"))("of %s", (kind) => {
    const file = fileURLToPath(new URL(`../gen/schema/editor/${kind.toLowerCase()}.json`, import.meta.url));
    expect(existsSync(file)).toBe(true);
    const schema = JSON.parse(readFileSync(file, "utf8")) as { properties: { kind: unknown }; additionalProperties: boolean };
    expect(schema).toMatchObject({ properties: { kind: { const: kind } }, additionalProperties: false });
  });
});

test("every field of MeshConfig that we read is one of Istio's", () => {
  const ours: Required<Record<keyof MeshConfigBody, true>> = {
    ...{ rootNamespace: true, trustDomain: true, trustDomainAliases: true, connectTimeout: true, protocolDetectionTimeout: true },
    ...{ enableAutoMtls: true, outboundTrafficPolicy: true, pathNormalization: true, accessLogFile: true },
    ...{ defaultServiceExportTo: true, defaultVirtualServiceExportTo: true, defaultDestinationRuleExportTo: true },
    ...{ extensionProviders: true, defaultHttpRetryPolicy: true, defaultConfig: true },
  };
  const root = meshConfigSchema.nodes[meshConfigSchema.kinds["MeshConfig"] ?? -1];
  expect(root?.is === "object" ? Object.keys(root.fields) : []).toEqual(expect.arrayContaining(Object.keys(ours)));
});
