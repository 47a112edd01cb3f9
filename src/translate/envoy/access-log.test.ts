import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ServingEnvoy, startServingEnvoy } from "../../testing/serving-envoy.ts";

const empty = { enforced: false, policies: [] };
const folder = mkdtempSync(join(tmpdir(), "kumiko-log-"));
const path = join(folder, "access.log");

describe("the access log of a real Envoy", () => {
  let envoy: ServingEnvoy;
  beforeAll(async () => {
    const accessLog = { path, encoding: "json" } as const;
    envoy = await startServingEnvoy({
      profile: "istio",
      pathNormalization: "base",
      protocolDetectionTimeoutMs: 0,
      maxConnectionDurationMs: 0,
      accessLog,
    });
    const refusal = { name: "Profile/zero-trust", origin: [] };
    await envoy.setPolicies({
      authentication: { providers: [], origin: [] },
      custom: empty,
      deny: empty,
      allow: { enforced: true, policies: [], refusal },
    });
  });
  afterAll(async () => {
    await envoy.close();
    rmSync(folder, { recursive: true });
  });

  test("names the policy that refused, and holds no secret of the request", async () => {
    await envoy.send("/videos?access_token=canary", { authorization: "Bearer canary", cookie: "session=canary" });
    const line = await lineWith("/videos");
    expect(JSON.parse(line)).toMatchObject({
      method: "GET",
      path: "/videos",
      status: 403,
      response_code_details: "rbac_access_denied_matched_policy[Profile/zero-trust]",
    });
    expect(readFileSync(path, "utf8")).not.toContain("canary");
  });
});

async function lineWith(text: string): Promise<string> {
  const end = performance.now() + 60_000;
  while (performance.now() < end) {
    const line = readFileSync(path, "utf8")
      .split("\n")
      .find((candidate) => candidate.includes(text));
    if (line !== undefined) return line;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no line in the log within 15 s");
}
