import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AgreementWorld, differences, startAgreement } from "../testing/agreement.ts";
import { TOKEN_CASES, TOKENS } from "../testing/agreement-token-cases.ts";

describe("evaluator and Envoy agree on tokens", () => {
  let world: AgreementWorld;
  beforeAll(async () => {
    world = await startAgreement(TOKENS, { profile: "istio" });
  });
  afterAll(() => world.close());

  test.each(TOKEN_CASES)("%s", async (_title, given) => {
    const found = differences(await world.ask(given));
    expect(found, found.join("; ")).toEqual([]);
  });
});
