import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type LoadedFile, loadTests } from "../load.ts";
import { runTests } from "../run.ts";
import { mutantsOf } from "./mutant.ts";
import { mutate, type Mutation } from "./mutate.ts";

const NOW = Date.UTC(2026, 0, 1);

const TEST = `apiVersion: kumiko.dev/v1alpha1
kind: MeshTest
metadata: {name: t, namespace: shop}
spec:
  workloads: [{name: web, labels: {app: web}, ports: [8080]}, {name: cart, labels: {app: cart}, ports: [8080]}]
  CALLS
`;
const SERVICE = `---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 8080}]}
`;
const POLICY = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart}
spec:
  action: DENY
  selector: {matchLabels: {app: cart}}
  rules:
    - to: [{operation: {methods: [DELETE]}}]
    - to: [{operation: {methods: [TRACE]}}]
`;
const READS = `{name: reads, from: {workload: web}, request: {url: "http://cart:8080/a"}, expect: {status: 200}}`;
const DELETES = `{name: deletes, from: {workload: web}, request: {url: "http://cart:8080/a", method: DELETE}, expect: {status: 403}}`;
const WRONG = `{name: wrong, from: {workload: web}, request: {url: "http://cart:8080/a", method: TRACE}, expect: {status: 200}}`;

const testOf = (...calls: readonly string[]) => TEST.replace("CALLS", `calls: [${calls.join(", ")}]`);

async function mutateAll(files: readonly LoadedFile[], filter?: string): Promise<Mutation> {
  const mutation = await mutate(files, { nowMs: NOW, ...(filter !== undefined && { filter }) });
  if (mutation === undefined) throw new Error("nobody ended it early");
  return mutation;
}

async function mutated(files: Readonly<Record<string, string>>, filter?: string) {
  const folder = mkdtempSync(join(tmpdir(), "kumiko-mutate-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const loaded = await loadTests({ paths: ["."], cwd: folder });
    const { survivors, ...counts } = await mutateAll(loaded.files, filter);
    return {
      ...counts,
      survivors: survivors.map(({ position, resource, change }) => `${position.file}:${position.line} ${resource} ${change}`),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("what no call noticed is named by its line; the rest is counted", async () => {
  expect(await mutated({ "t.yaml": testOf(READS, DELETES) + SERVICE + POLICY })).toEqual({
    // The whole, its action, the first rule, its `to`, and the other rule's `to`.
    killed: 5,
    survivors: [
      "t.yaml:18 AuthorizationPolicy/shop/cart spec.selector dropped",
      "t.yaml:21 AuthorizationPolicy/shop/cart spec.rules[1] dropped",
    ],
    equivalent: 0,
    undecided: 0,
    score: (100 * 5) / 7,
  });
});

test("a change after which every proxy is sent the same is no survivor", async () => {
  const own = `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: nobody}\nspec: {host: nobody.shop.svc.cluster.local, trafficPolicy: {tls: {mode: DISABLE}}}\n`;
  expect(await mutated({ "t.yaml": testOf(READS) + SERVICE + own })).toEqual({
    killed: 0,
    survivors: [],
    equivalent: 2,
    undecided: 0,
    score: 100,
  });
});

test("a call that fails as it is notices nothing", async () => {
  const alone = await mutated({ "t.yaml": testOf(READS) + SERVICE + POLICY });
  expect(await mutated({ "t.yaml": testOf(READS, WRONG) + SERVICE + POLICY })).toEqual(alone);
});

test("where no call passes nothing is tried", async () => {
  expect(await mutated({ "t.yaml": testOf(WRONG) + SERVICE + POLICY })).toMatchObject({ killed: 0, survivors: [], equivalent: 0 });
});

test("only the calls that a filter takes count", async () => {
  const { survivors } = await mutated({ "t.yaml": testOf(READS, DELETES) + SERVICE + POLICY }, "reads");
  expect(survivors).toContain("t.yaml:20 AuthorizationPolicy/shop/cart spec.rules[0] dropped");
});

test("of several tests that share a resource one is enough to notice", async () => {
  const shared = "  resources: [shared.yaml]\n";
  const files = {
    "a.yaml": testOf(READS) + shared,
    "b.yaml": testOf(DELETES) + shared,
    "shared.yaml": (SERVICE + POLICY).replaceAll("metadata: {name: cart}", "metadata: {name: cart, namespace: shop}").slice(4),
  };
  const { killed, survivors } = await mutated(files);
  expect(killed).toBe(5);
  expect(survivors).toEqual([
    "shared.yaml:11 AuthorizationPolicy/shop/cart spec.selector dropped",
    "shared.yaml:14 AuthorizationPolicy/shop/cart spec.rules[1] dropped",
  ]);
});

test("an expected diagnostic that is said no more notices", async () => {
  const dangling = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec: {hosts: [cart], http: [{match: [{uri: {exact: /never}}], route: [{destination: {host: cart, subset: gone}}]}, {route: [{destination: {host: cart}}]}]}
`;
  const change = "VirtualService/shop/cart spec.http[0].route[0].destination.subset dropped";
  const silent = await mutated({ "t.yaml": testOf(READS) + SERVICE + dangling });
  expect(silent.survivors).toContain(`t.yaml:16 ${change}`);
  const expecting = testOf(READS) + "  expectDiagnostics: [{code: IST0101}]\n";
  const { survivors } = await mutated({ "t.yaml": expecting + SERVICE + dangling });
  expect(survivors).not.toContain(`t.yaml:17 ${change}`);
  expect(survivors).toContain('t.yaml:17 VirtualService/shop/cart spec.http[0].match[0].uri exact "/never" made prefix');
});

test("who has had enough gets no half result", async () => {
  const folder = fileURLToPath(new URL("../../../testdata/meshtest", import.meta.url));
  const { files } = await loadTests({ paths: [folder], cwd: folder });
  expect(await mutate(files, { nowMs: NOW, signal: AbortSignal.abort() })).toBeUndefined();
});

/** Slow and plain: every call of the test on the mesh of every mutant, as if somebody had edited the file. */
test("what is judged again only where it must be is judged as if all were", async () => {
  const folder = fileURLToPath(new URL("../../../testdata/meshtest", import.meta.url));
  const paths = ["allow-and-deny", "egress-gateway", "gateway-tls", "tokens", "zero-trust-defaults"].map((name) =>
    join(folder, `${name}.yaml`),
  );
  const { files } = await loadTests({ paths, cwd: folder });
  const unnoticed: string[] = [];
  for (const file of files)
    for (const loaded of file.tests)
      for (const own of loaded.resources)
        for (const { resource, position, change } of mutantsOf(own)) {
          const resources = loaded.resources.flatMap((other) => (other === own ? (resource ?? []) : other));
          const { totals } = await runTests([{ ...file, tests: [{ ...loaded, resources }] }], { nowMs: NOW });
          if (totals.fail === 0) unnoticed.push(`${position.file}:${position.line} ${change}`);
        }
  const { survivors, equivalent, undecided, killed } = await mutateAll(files);
  expect(survivors.length + equivalent + undecided).toBe(unnoticed.length);
  for (const { position, change } of survivors) expect(unnoticed).toContain(`${position.file}:${position.line} ${change}`);
  expect(killed).toBeGreaterThan(60);
});
