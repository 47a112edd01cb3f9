import { describe, expect, test } from "vitest";
import { lookUp, valuesOf } from "../base/tree.ts";
import { resourcesOf } from "../testing/mesh.ts";
import { formatRef, refOf, type LocatedResource } from "../model/resource.ts";
import { type Held, keySetUris, WorldKeeper } from "./world.ts";

const held = (resources: readonly LocatedResource[], holder: Held["holder"]): Held[] =>
  resources.map((resource) => ({ resource, revision: resource.hash, holder }));

const service = (port: number) => `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: shop }
spec: { selector: { app: users }, ports: [{ name: http, port: ${port} }] }
`;

describe("WorldKeeper", () => {
  test("what the folder declares wins over what was applied, and that is said", () => {
    const keeper = new WorldKeeper({});
    keeper.set("store", { held: held(resourcesOf(service(81)), "store"), diagnostics: [] });
    const world = keeper.set("folder", { held: held(resourcesOf(service(80)), "folder"), diagnostics: [] });
    expect(lookUp(world.held, "Service/shop/users")?.holder).toBe("folder");
    expect(world.diagnostics).toMatchObject([{ code: "KMK0005", resource: { kind: "Service", namespace: "shop", name: "users" } }]);
  });

  test("the applied one is there again when the folder gives it up", () => {
    const keeper = new WorldKeeper({});
    keeper.set("store", { held: held(resourcesOf(service(81)), "store"), diagnostics: [] });
    keeper.set("folder", { held: held(resourcesOf(service(80)), "folder"), diagnostics: [] });
    const world = keeper.set("folder", { held: [], diagnostics: [] });
    expect([...valuesOf(world.held)].map(({ resource, holder }) => `${formatRef(refOf(resource))} ${holder}`)).toEqual([
      "Service/shop/users store",
    ]);
    expect(world.diagnostics).toEqual([]);
  });

  test("a comment line changes positions, not the revision", () => {
    const keeper = new WorldKeeper({});
    const before = keeper.set("folder", { held: held(resourcesOf(service(80)), "folder"), diagnostics: [] });
    const after = keeper.set("folder", { held: held(resourcesOf(`# a comment\n${service(80)}`), "folder"), diagnostics: [] });
    expect(after.revision).toBe(before.revision);
    const lineOf = (world: typeof before) => lookUp(world.held, "Service/shop/users")?.resource.locate(["spec"]).line ?? 0;
    expect(lineOf(after)).toBe(lineOf(before) + 1);
  });

  test("a changed port changes the revision", () => {
    const keeper = new WorldKeeper({});
    const before = keeper.set("folder", { held: held(resourcesOf(service(80)), "folder"), diagnostics: [] });
    expect(keeper.set("folder", { held: held(resourcesOf(service(81)), "folder"), diagnostics: [] }).revision).not.toBe(before.revision);
  });
});

test("keys are fetched for each jwksUri once, and not where the keys stand in the policy", () => {
  const keeper = new WorldKeeper({});
  const rule = (name: string, fields: string) => `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: ${name}, namespace: shop }
spec: { jwtRules: [{ issuer: "https://idp.test", ${fields} }] }
---`;
  const text =
    rule("a", 'jwksUri: "https://idp.test/b"') +
    rule("b", 'jwksUri: "https://idp.test/b"') +
    rule("c", 'jwks: "{\\"keys\\":[{\\"kty\\":\\"RSA\\",\\"n\\":\\"AQ\\",\\"e\\":\\"AQAB\\"}]}"');
  expect(keySetUris(keeper.set("folder", { held: held(resourcesOf(text), "folder"), diagnostics: [] }))).toEqual(["https://idp.test/b"]);
});
