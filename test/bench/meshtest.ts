import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchRow } from "./row.ts";

/** As a person starts it: the launcher keeps the sources with their types stripped. */
const KUMIKO = fileURLToPath(new URL("../../kumiko", import.meta.url));
const EVALUATOR_S = 2;
const REAL_S = 25;

/** `kumiko test` from its start to its end: reading, translation and judging of one big mesh; many small ones on real Envoys. */
export async function benchMeshtest(): Promise<readonly BenchRow[]> {
  const big = { "big.yaml": bigMesh(200, 1000) };
  const small = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`mesh-${i}.yaml`, smallMesh(i)]));
  return [
    { what: "test, evaluator: 1,000 calls on 200 services", value: timed(big, [], 1000), unit: "s", atMost: EVALUATOR_S },
    { what: "test, --real: 100 calls over 20 meshes", value: timed(small, ["--real"], 100), unit: "s", atMost: REAL_S },
  ];
}

function timed(files: Readonly<Record<string, string>>, flags: readonly string[], calls: number): number {
  const folder = mkdtempSync(join(tmpdir(), "kumiko-bench-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const started = performance.now();
    const { stdout, stderr } = spawnSync(KUMIKO, ["test", ...flags, "--output", "json", "."], {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 1 << 30,
    });
    const seconds = (performance.now() - started) / 1000;
    const { totals } = JSON.parse(stdout || "{}") as { readonly totals?: { readonly pass: number } };
    if (totals?.pass !== calls) throw new Error(`of ${calls} calls ${totals?.pass ?? "none"} passed: ${stderr.slice(0, 2000)}`);
    return seconds;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const head = (name: string, workloads: readonly string[], calls: readonly string[]) =>
  `apiVersion: kumiko.dev/v1alpha1\nkind: MeshTest\nmetadata: {name: ${name}, namespace: shop}\nspec:\n  workloads:\n${lines(workloads)}  calls:\n${lines(calls)}`;
const lines = (entries: readonly string[]) => entries.map((entry) => `    - ${entry}\n`).join("");
const workload = (name: string) => `{name: ${name}, labels: {app: ${name}}, serviceAccount: ${name}, ports: [8080]}`;
const service = (name: string) =>
  `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {selector: {app: ${name}}, ports: [{name: http, port: 8080}]}\n`;
const call = (name: string, url: string, expected: string, more = "") =>
  `{name: ${name}, from: {workload: web}, request: {url: "${url}"${more}}, expect: {${expected}}}`;
const routes = (name: string) =>
  `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ${name}}\nspec:\n  hosts: [${name}]\n  http:\n    - {match: [{uri: {exact: /old}}], redirect: {uri: /new}}\n    - {match: [{headers: {x-a: {prefix: b}}}], rewrite: {uri: /b/}, route: [{destination: {host: ${name}}}]}\n    - {route: [{destination: {host: ${name}}}]}\n`;
const policy = (name: string, path: string) =>
  `---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}}\nspec: {selector: {matchLabels: {app: ${name}}}, action: DENY, rules: [{to: [{operation: {paths: [${path}]}}]}]}\n`;

/** Each service has routes and a policy of its own; the calls go through all of them in turn. */
function bigMesh(services: number, calls: number): string {
  const names = Array.from({ length: services }, (_, i) => `s${i}`);
  const written = Array.from({ length: calls }, (_, i) => {
    const host = names[i % services] ?? "";
    const kinds = [
      call(`c${i}`, `http://${host}:8080/a`, `status: 200, to: ${host}`),
      call(`c${i}`, `http://${host}:8080/old`, "status: 301"),
      call(`c${i}`, `http://${host}:8080/admin`, `status: 403, because: AuthorizationPolicy/shop/${host}`),
      call(`c${i}`, `http://${host}:8080/x`, "received: {path: /b/x}", ", headers: {x-a: bc}"),
    ];
    return kinds[Math.floor(i / services) % kinds.length] ?? "";
  });
  const documents = names.flatMap((name) => [service(name), routes(name), policy(name, "/admin")]);
  return head("big", ["web", ...names].map(workload), written) + documents.join("");
}

/** Three workloads, of which the numbers differ from mesh to mesh, and five calls. */
function smallMesh(number: number): string {
  const names = ["cart", "stock"];
  const calls = [
    call("reads", "http://cart:8080/a", "status: 200, to: cart"),
    call("moved", "http://cart:8080/old", "status: 301"),
    call("denied", `http://cart:8080/admin-${number}`, "status: 403, because: AuthorizationPolicy/shop/cart"),
    call("rewritten", "http://cart:8080/x", "received: {path: /b/x}", ", headers: {x-a: bc}"),
    call("another", "http://stock:8080/", "status: 200, to: stock"),
  ];
  return (
    head(`small-${number}`, ["web", ...names].map(workload), calls) +
    names.map(service).join("") +
    routes("cart") +
    policy("cart", `/admin-${number}`)
  );
}
