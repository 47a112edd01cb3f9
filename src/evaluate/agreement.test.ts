import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AgreementWorld, differences, startAgreement } from "../testing/agreement.ts";
import { ROUTE_CASES, ROUTE_MESHES } from "../testing/agreement-routes.ts";

describe.each(ROUTE_MESHES)("evaluator and Envoy agree, $title", ({ settings, mesh }) => {
  let world: AgreementWorld;
  beforeAll(async () => {
    world = await startAgreement(mesh, settings);
  });
  afterAll(() => world.close());

  test.each(
    ROUTE_CASES.map(
      (given) =>
        [`${given.by} ${given.method ?? "GET"} ${given.host ?? ""} ${given.path} ${JSON.stringify(given.headers ?? [])}`, given] as const,
    ),
  )("%s", async (_title, given) => {
    const found = differences(await world.ask(given));
    expect(found, found.join("; ")).toEqual([]);
  });
});
