import { expect, test } from "vitest";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { sourceOf } from "./origins.ts";

test("what was made beside a resource that several files declare is named as they name it", () => {
  const origin = { ref: { kind: "AuthorizationPolicy", namespace: "shop", name: "users~2" }, path: [] };
  const asked: unknown[] = [];
  const locate = (one: unknown) => (asked.push(one), { file: "b.yaml", line: 3, column: 1 });
  const resource = { origins: new Map([["", [origin]]]) } as unknown as EnvoyResource;
  expect(sourceOf(resource, "rules[0]", locate)).toEqual({ resource: "AuthorizationPolicy/shop/users", source: "b.yaml:3" });
  expect(asked).toEqual([origin]);
});
