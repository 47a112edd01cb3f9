import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fakeIo } from "../testing/fake-io.ts";
import { until } from "../testing/until.ts";
import { run } from "./run.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const meshTest = (name: string, calls: string) => `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: ${name}, namespace: shop}
spec:
  workloads: [{name: web, ports: [8080]}, {name: cart, labels: {app: cart}, ports: [8080]}]
  calls:
${calls}---
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
  rules: [{to: [{operation: {methods: [DELETE]}}]}, {to: [{operation: {methods: [TRACE]}}]}]
`;
const GOOD = '    - {name: reads, from: {workload: web}, request: {url: "http://cart:8080/a"}, expect: {status: 200, to: cart}}\n';
const BAD = '    - {name: deletes, from: {workload: web}, request: {url: "http://cart:8080/a", method: DELETE}, expect: {status: 200}}\n';

async function kumiko(...argv: readonly string[]) {
  const { io, written } = fakeIo({ cwd: folder, variables: { KUMIKO_ENVOY: join(folder, "no-envoy") } });
  return { code: await run(["test", ...argv], io), ...written };
}

const write = (file: string, text: string) => writeFileSync(join(folder, file), text);

describe("kumiko test", () => {
  test("of a workload that isn't there because its resource can't be used, it says why", async () => {
    const pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: edge}\nspec: {containers: [{name: a, ports: [{containerPort: many}]}]}\n";
    write("a.yaml", meshTest("a", GOOD.replace("web}, request", "edge}, request")) + pod);
    const { code, err } = await kumiko("a.yaml");
    expect(code).toBe(2);
    expect(err).toMatch(/a\.yaml:7:\d+: error: unknown workload "edge"/);
    expect(err).toMatch(/a\.yaml:24:\d+: error.*containerPort/);
  });

  test("says how many notes there are on what has no effect, and prints them where it is asked to", async () => {
    const route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n";
    const role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\n";
    const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {tolerations: [], containers: [{name: a}]}\n";
    write("a.yaml", [meshTest("a", GOOD), route, role, pod].join("---\n"));
    const { err } = await kumiko("a.yaml");
    expect(err).toMatch(/warning KMK1004.*HTTPRoute.*no request takes its way/);
    expect(err).toContain("2 notes on what has no effect here (1 of them on skipped documents): kumiko test --notes a.yaml\n");
    expect(err).not.toContain("ClusterRole");
    const all = await kumiko("a.yaml", "--notes");
    expect(all.err).toMatch(/info KMK1004.*ClusterRole/);
    expect(all.err).toMatch(/info KMK1003.*tolerations/);
    expect(all.err).not.toContain("kumiko test --notes");
  });

  test("prints a line a call and exits with 0 where all pass", async () => {
    write("a.yaml", meshTest("a", GOOD));
    const { code, out, err } = await kumiko("a.yaml");
    expect(out).toMatch(/^PASS reads\n1 passed \(\d+ ms\)\n$/);
    expect({ code, err }).toEqual({ code: 0, err: "" });
  });

  test("of a failure says what was expected, what happened, and the line that decided", async () => {
    write("a.yaml", meshTest("a", GOOD + BAD));
    const { code, out } = await kumiko();
    expect(code).toBe(1);
    expect(out).toContain(
      "PASS reads\nFAIL deletes  a.yaml:8\n  expected status 200, got 403\n  happened 403 from a proxy\n  because  AuthorizationPolicy/shop/cart  a.yaml:20\n",
    );
    expect(out).toMatch(/\n1 passed, 1 failed \(\d+ ms\)\n$/);
  });

  test("says where a file is wrong, runs none of its calls, and all of the others'", async () => {
    write("a.yaml", meshTest("a", GOOD.replace("expect", "expects")));
    write("b.yaml", meshTest("b", GOOD));
    const { code, out, err } = await kumiko("a.yaml", "b.yaml");
    expect(err).toMatch(
      /^a\.yaml:7:7: error: spec\.calls\[0\]\.expect is missing|^a\.yaml:7:\d+: error: unknown field spec\.calls\[0\]\.expects/,
    );
    expect(out).toMatch(/^PASS reads\n1 passed, 2 errors/);
    expect(code).toBe(2);
  });

  test("an unknown workload is an error of its file", async () => {
    write("a.yaml", meshTest("a", GOOD.replace("workload: web", "workload: webb")));
    const { code, err, out } = await kumiko("a.yaml");
    expect(err).toBe('a.yaml:7:28: error: unknown workload "webb" in from.workload\n  help: did you mean web?\n');
    expect(out).toMatch(/^0 passed, 1 error /);
    expect(code).toBe(2);
  });

  test("nothing to run is never a pass", async () => {
    expect(await kumiko(".")).toMatchObject({ code: 2, err: expect.stringContaining("there is no MeshTest in .") });
    write("a.yaml", meshTest("a", GOOD));
    expect(await kumiko("a.yaml", "--filter", "nobody")).toMatchObject({ code: 2, err: 'no call\'s name contains "nobody"\n' });
  });

  test("with a filter runs only what it names", async () => {
    write("a.yaml", meshTest("a", GOOD + BAD));
    expect(await kumiko("a.yaml", "--filter", "READ")).toMatchObject({ code: 0, out: expect.stringMatching(/^PASS reads\n1 passed/) });
  });

  test("prints JSON and nothing else on standard output, with the way of each call", async () => {
    write("a.yaml", meshTest("a", BAD));
    const { code, out } = await kumiko("a.yaml", "--output", "json", "--coverage");
    const printed = JSON.parse(out);
    expect(code).toBe(1);
    expect(Object.keys(printed)).toEqual(["calls", "errors", "totals"]);
    expect(printed.totals).toEqual({ pass: 0, fail: 1, skip: 0, errors: 0 });
    expect(printed.calls[0]).toMatchObject({ file: "a.yaml", line: 7, test: "a", name: "deletes", engine: "evaluator", verdict: "fail" });
    expect(printed.calls[0].path).toContainEqual(expect.objectContaining({ resource: "AuthorizationPolicy/shop/cart", at: "a.yaml:19" }));
  });

  test("reports a rejected resource, runs on the rest, and takes an expected rejection as part of the test", async () => {
    const broken =
      "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec: {hosts: [cart], http: [{route: [{destination: {host: cart, subset: none}}]}]}\n";
    write("a.yaml", `${meshTest("a", GOOD.replace("200, to: cart", "503"))}${broken}`);
    expect(await kumiko("a.yaml")).toMatchObject({ code: 0, err: expect.stringContaining("IST0101 VirtualService/shop/v") });
    const expected = "  expectDiagnostics: [{code: IST0101, resource: VirtualService/shop/v}]\n";
    write("b.yaml", `${meshTest("b", `${GOOD.replace("200, to: cart", "503")}${expected}`)}${broken}`);
    expect(await kumiko("b.yaml")).toMatchObject({ code: 0, err: "" });
    write("c.yaml", meshTest("c", `${GOOD}${expected}`));
    expect(await kumiko("c.yaml")).toMatchObject({
      code: 1,
      out: expect.stringContaining("FAIL the mesh says IST0101 on VirtualService/shop/v"),
    });
  });

  test("with --coverage-min fails where less is reached", async () => {
    write("a.yaml", meshTest("a", GOOD));
    expect(await kumiko("a.yaml", "--coverage-min", "50")).toMatchObject({ code: 1, err: "coverage is 0.0 %, less than 50 %\n" });
    write("b.yaml", meshTest("b", BAD.replace("status: 200", "status: 403")));
    expect(await kumiko("b.yaml", "--coverage-min", "50")).toMatchObject({ code: 0 });
    expect((await kumiko("b.yaml", "--coverage")).out).toContain(
      "not reached b.yaml:19 policy rule AuthorizationPolicy/shop/cart spec.rules[1]\ncoverage 50.0 %: 1 of 2",
    );
  });

  test.each([["--real"], ["--both"]])("with %s says why nothing can be started, and never that all is well", async (flag) => {
    write("a.yaml", meshTest("a", GOOD));
    const { code, out, err } = await kumiko("a.yaml", flag);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("no-envoy is no Envoy that runs here: there is no such program\n");
    expect(err).toContain("name another one with --envoy PATH");
  });

  test.each([
    { flags: ["--real", "--both"], says: "--real and --both say different things" },
    { flags: ["--real", "--coverage"], says: "--real can't say what was reached" },
    { flags: ["--real", "--coverage-min", "80"], says: "use --both, or leave --real out" },
  ])("refuses $flags", async ({ flags, says }) => {
    write("a.yaml", meshTest("a", GOOD));
    expect(await kumiko("a.yaml", ...flags)).toMatchObject({ code: 2, out: "", err: expect.stringContaining(says) });
  });

  test("with --watch runs again when a file changes, until it is stopped", async () => {
    write("a.yaml", meshTest("a", GOOD));
    const stop = new AbortController();
    const { io, written } = fakeIo({ cwd: folder, signal: stop.signal });
    const ended = run(["test", "a.yaml", "--watch"], io);
    await until("the first run", () => written.out.includes("1 passed"));
    write("a.yaml", meshTest("a", BAD));
    await until("the second run", () => written.out.includes("FAIL deletes"));
    stop.abort();
    expect(await ended).toBe(1);
  });
});
