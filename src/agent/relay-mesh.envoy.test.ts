import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMesh } from "../mesh/index.ts";
import type { Resource } from "../model/resource.ts";
import { largeResources, withEditedRoute } from "../testing/large-mesh.ts";
import { sidecar } from "../testing/mesh.ts";
import { ownSecrets } from "../testing/own-secrets.ts";
import { until } from "../testing/until.ts";
import { findTestEnvoy, XdsWorld } from "../testing/xds-world.ts";
import { createTranslator } from "../translate/index.ts";

const envoy = await findTestEnvoy();

describe.skipIf(envoy === undefined)("a translated mesh on a real Envoy behind the relay", () => {
  const world = new XdsWorld(envoy ?? "");
  const translator = createTranslator();
  const proxy = sidecar({
    name: "service-1-0",
    namespace: "team-0",
    addresses: ["127.0.0.1"],
    serviceAccount: "service-1",
    labels: { app: "service-1", version: "v1" },
  });
  const secrets = new Map(ownSecrets().map((secret) => [secret.name, secret]));

  const set = (resources: readonly Resource[]) => world.set(translator.translate(createMesh(resources), proxy).snapshot);
  const acknowledged = () => world.events.flatMap((event) => (event.kind === "ack" ? [event.type] : []));

  beforeAll(async () => {
    set(largeResources(60));
    await world.startControlPlane();
    await world.startRelay({ current: (name) => secrets.get(name), onChange: () => () => undefined });
    world.startEnvoy();
    await until("all is acknowledged", () => world.isSynced());
  });

  afterAll(() => world.close());

  test.each<{ title: string; resources: () => readonly Resource[]; types: readonly string[] }>([
    { title: "the same resources send nothing", resources: () => largeResources(60), types: [] },
    { title: "an edited route sends routes alone", resources: () => withEditedRoute(largeResources(60), "11s"), types: ["route"] },
    {
      title: "services that go leave listeners and routes before clusters",
      resources: () => largeResources(30),
      types: ["listener", "route", "cluster"],
    },
    {
      title: "services that come bring clusters before routes",
      resources: () => largeResources(60),
      types: ["cluster", "endpoint", "listener", "route"],
    },
  ])("$title, and nothing is refused", async ({ resources, types }) => {
    world.events.length = 0;
    set(resources());
    await until("all is acknowledged", () => world.isSynced());
    expect(acknowledged().toSorted()).toEqual(types.toSorted());
    expect(acknowledged().indexOf("route"), "routes after clusters come, before they go").toBe(types.indexOf("route"));
    expect(world.events.filter(({ kind }) => kind === "nack")).toEqual([]);
  });
});
