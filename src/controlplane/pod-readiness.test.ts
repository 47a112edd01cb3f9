import { expect, test } from "vitest";
import { resourcesOf } from "../testing/mesh.ts";
import { podReadiness, unreadyPods } from "./pod-readiness.ts";
import { WorldKeeper } from "./world.ts";

const pod = (name: string, status: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop }
spec: { containers: [{ name: app }] }
status: ${status}
`;

const world = new WorldKeeper({}).set("store", {
  held: resourcesOf(
    [
      pod("up", "{ conditions: [{ type: Ready, status: 'True' }] }"),
      pod("crashes", "{ conditions: [{ type: Ready, status: 'False', message: 'app: exit code 1; starts again in 1 s' }] }"),
      pod("unsaid", "{ podIP: 10.244.0.7 }"),
    ].join("---"),
  ).map((resource) => ({ resource, revision: resource.hash, holder: "store" })),
  diagnostics: [],
});

test.each([
  { name: "up", readiness: { ready: true, message: "" } },
  { name: "crashes", readiness: { ready: false, message: "app: exit code 1; starts again in 1 s" } },
  { name: "unsaid", readiness: undefined },
  { name: "unknown", readiness: undefined },
])("$name is as ready as the runtime says", ({ name, readiness }) => {
  expect(podReadiness(world, { namespace: "shop", name })).toEqual(readiness);
});

test("those that are not ready are found, whether they have a proxy or not", () => {
  expect(unreadyPods(world)).toEqual([{ namespace: "shop", name: "crashes" }]);
});
