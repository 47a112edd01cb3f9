import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ServingEnvoy, startServingEnvoy } from "../../testing/serving-envoy.ts";

const settings = {
  profile: "zero-trust",
  pathNormalization: "decode-and-merge-slashes",
  protocolDetectionTimeoutMs: 0,
  maxConnectionDurationMs: 0,
} as const;
const empty = { enforced: false, policies: [] };

describe("a gateway, on a real Envoy", () => {
  let envoy: ServingEnvoy;
  beforeAll(async () => {
    envoy = await startServingEnvoy(settings, { role: "gateway" });
    await envoy.setPolicies({ authentication: { providers: [], origin: [] }, custom: empty, deny: empty, allow: empty });
  });
  afterAll(() => envoy.close());

  test.each([
    "x-forwarded-client-cert",
    "x-envoy-original-path",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-decorator-operation",
  ])("%s from outside does not pass", async (header) => {
    const { seen, status } = await envoy.send("/", { [header]: "5" });
    expect(status).toBe(200);
    expect(seen.headers?.[header]).not.toBe("5");
  });

  test("a client on a private network is as much outside as any", async () => {
    const { seen } = await envoy.send("/", { "x-envoy-internal": "true" });
    expect(seen.headers).not.toHaveProperty("x-envoy-internal");
    expect(seen.headers).toHaveProperty("x-envoy-external-address", "127.0.0.1");
  });

  test("what a client says of its own address does not count", async () => {
    const { seen } = await envoy.send("/", { "x-forwarded-for": "10.0.0.1" });
    expect(seen.headers?.["x-envoy-external-address"]).not.toBe("10.0.0.1");
    // What the client says stays in front; only what the gateway adds behind it counts.
    expect(String(seen.headers?.["x-forwarded-for"])).toMatch(/^10\.0\.0\.1,.+/);
  });

  test("the application sees the path as it was matched", async () => {
    expect((await envoy.send("/a//b/..%2fc")).seen.url).toBe("/a/c");
  });

  test("a header with an underscore is refused", async () => {
    expect((await envoy.send("/", { x_role: "admin" })).status).toBe(400);
  });
});

describe("an inbound connection, on a real Envoy", () => {
  test("nothing in X-Forwarded-For makes a request internal", async () => {
    const envoy = await startServingEnvoy(settings, { role: "inbound" });
    try {
      await envoy.setPolicies({ authentication: { providers: [], origin: [] }, custom: empty, deny: empty, allow: empty });
      const { seen, status } = await envoy.send("/", { "x-forwarded-for": "10.0.0.1" });
      expect([status, seen.headers?.["x-envoy-internal"]]).toEqual([200, undefined]);
    } finally {
      await envoy.close();
    }
  });
});
