import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fakeIo } from "../testing/fake-io.ts";
import { run } from "./run.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-test-mutate-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const mesh = (status: number) => `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: a, namespace: shop}
spec:
  workloads: [{name: web, ports: [8080]}, {name: cart, labels: {app: cart}, ports: [8080]}]
  calls:
    - {name: reads, from: {workload: web}, request: {url: "http://cart:8080/a"}, expect: {status: 200, to: cart}}
    - {name: deletes, from: {workload: web}, request: {url: "http://cart:8080/a", method: DELETE}, expect: {status: ${status}}}
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 8080}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart}
spec:
  action: DENY
  rules:
    - to: [{operation: {methods: [DELETE]}}]
    - to: [{operation: {methods: [TRACE]}}]
`;

async function kumiko(status: number, ...argv: readonly string[]) {
  writeFileSync(join(folder, "a.yaml"), mesh(status));
  const { io, written } = fakeIo({ cwd: folder });
  return { code: await run(["test", "a.yaml", ...argv], io), ...written };
}

const SURVIVED = "SURVIVED a.yaml:22: AuthorizationPolicy/shop/cart: spec.rules[1] dropped: no call noticed\n";

describe("kumiko test --mutate", () => {
  test("lists what no call noticed, and leaves the exit code to the calls", async () => {
    const { code, out, err } = await kumiko(403, "--mutate");
    expect(out).toMatch(/\n2 passed \(\d+ ms\)\nSURVIVED /);
    expect(out.endsWith(`${SURVIVED}mutation 83.3 %: 5 of 6 changes noticed\n`)).toBe(true);
    expect({ code, err }).toEqual({ code: 0, err: "" });
  });

  test.each([
    { min: "83", code: 0, err: "" },
    { min: "84", code: 1, err: "mutation is 83.3 %, less than 84 %\n" },
  ])("--mutate-min $min exits with $code", async ({ min, code, err }) => {
    expect(await kumiko(403, "--mutate-min", min)).toMatchObject({ code, err });
  });

  test("tries nothing while a call fails as it is", async () => {
    const { code, out, err } = await kumiko(200, "--mutate");
    expect(out).not.toContain("SURVIVED");
    expect({ code, err }).toEqual({ code: 1, err: "no change was tried: the tests must pass without one first\n" });
  });

  test("in JSON it stands beside the calls", async () => {
    const { out } = await kumiko(403, "--mutate", "--output", "json");
    const { calls, mutation } = JSON.parse(out) as { calls: unknown[]; mutation: unknown };
    expect(calls).toHaveLength(2);
    expect(mutation).toEqual({
      killed: 5,
      survived: 1,
      equivalent: 0,
      undecided: 0,
      score: 500 / 6,
      survivors: [{ file: "a.yaml", line: 22, column: 7, resource: "AuthorizationPolicy/shop/cart", change: "spec.rules[1] dropped" }],
    });
  });

  test("beside JUnit and TAP it goes to standard error", async () => {
    const { out, err } = await kumiko(403, "--mutate", "--output", "tap");
    expect(out).not.toContain("SURVIVED");
    expect(err).toContain(SURVIVED);
  });
});
