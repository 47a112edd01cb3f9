import { describe, expect, test } from "vitest";
import { PROXY_CONFIG, terminationOf } from "./proxy-config.ts";

describe("how a proxy ends", () => {
  const untilZero = (atLeast?: string) => ({
    proxyMetadata: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true", ...(atLeast !== undefined && { MINIMUM_DRAIN_DURATION: atLeast }) },
  });

  test.each([
    ["nothing said: Istio's 5 s", undefined, undefined, { drainMs: 5000 }],
    ["the mesh's", undefined, { terminationDrainDuration: "20s" }, { drainMs: 20_000 }],
    ["the Pod's over the mesh's", { terminationDrainDuration: "1m" }, { terminationDrainDuration: "20s" }, { drainMs: 60_000 }],
    ["none at all", { terminationDrainDuration: "0s" }, { terminationDrainDuration: "20s" }, { drainMs: 0 }],
    ["until zero connections, after Istio's 5 s", untilZero(), undefined, { drainMs: 5000, untilZero: { atLeastMs: 5000 } }],
    ["until zero, by the mesh", undefined, untilZero("1s"), { drainMs: 5000, untilZero: { atLeastMs: 1000 } }],
    [
      "metadata entry by entry",
      { proxyMetadata: { MINIMUM_DRAIN_DURATION: "2s" } },
      untilZero("1s"),
      { drainMs: 5000, untilZero: { atLeastMs: 2000 } },
    ],
    ["the Pod takes it back", { proxyMetadata: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "false" } }, untilZero(), { drainMs: 5000 }],
    ["what can't be read", { terminationDrainDuration: 7 }, { terminationDrainDuration: "20s" }, { drainMs: 20_000 }],
    ["no object", "[1]", ["x"], { drainMs: 5000 }],
  ])("%s", (_, ofPod, ofMesh, expected) => {
    const annotations = ofPod === undefined ? {} : { [PROXY_CONFIG]: typeof ofPod === "string" ? ofPod : JSON.stringify(ofPod) };
    expect(terminationOf(annotations, ofMesh)).toEqual(expected);
  });
});
