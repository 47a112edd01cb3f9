import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../src/controlplane/admin-client.ts";
import { canary, findCanaries, modesUnder, selfSigned } from "./harness/canary.ts";
import { http } from "./harness/http.ts";
import { freePort } from "../../src/testing/free-port.ts";
import { kumiko, prepareFolder, type RunningMesh, startIn } from "./harness/mesh.ts";
import { waitFor } from "./harness/wait.ts";

/** Long enough that no other text holds it by chance. */
const random = (name: string) => `canary-${name}-${randomBytes(12).toString("hex")}`;

const PLANTED = {
  env: random("env"),
  applied: random("applied"),
  bearer: random("bearer"),
  query: random("query"),
  torn: random("torn"),
  misshapen: random("misshapen"),
};

let mesh: RunningMesh;
let httpsPort: number;
let tls: Awaited<ReturnType<typeof selfSigned>>;
let joinToken: string;

const canaries = () => [
  ...Object.entries(PLANTED).map(([name, text]) => canary(name, text)),
  canary("key of the gateway", tls.key.split("\n")[2] ?? ""),
  canary("join token", joinToken),
];

const manifests = () => `
apiVersion: v1
kind: Secret
metadata: { name: public-tls, namespace: edge }
type: kubernetes.io/tls
data: { tls.crt: ${Buffer.from(tls.certificate).toString("base64")}, tls.key: ${Buffer.from(tls.key).toString("base64")} }
---
apiVersion: v1
kind: Secret
metadata: { name: app, namespace: shop }
stringData: { password: ${PLANTED.env} }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: secure, namespace: edge }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 8443, name: https, protocol: HTTPS }
      hosts: ["*.shop.test"]
      tls: { mode: SIMPLE, credentialName: public-tls }
`;

const enter = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  http(`https://target.shop.test${path}`, { port: httpsPort, headers, ca: tls.certificate });

beforeAll(async () => {
  tls = await selfSigned("target.shop.test");
  httpsPort = await freePort();
  const folder = await prepareFolder(fileURLToPath(new URL("./fixture", import.meta.url)));
  const edit = (file: string, change: (text: string) => string) =>
    writeFileSync(join(folder.dir, file), change(readFileSync(join(folder.dir, file), "utf8")));
  edit("kumiko.yaml", (text) => `${text.trimEnd()}\n  - { gateway: edge/gateway, port: 8443, on: 127.0.0.1:${httpsPort} }\n`);
  edit("k8s/traffic.yaml", (text) => text.replaceAll("gateways: [edge/public]", "gateways: [edge/public, edge/secure]"));
  edit("k8s/shop.yaml", (text) =>
    text.replace(
      "{ name: VERSION, value: v1 }",
      "{ name: VERSION, value: v1 }\n            - { name: PASSWORD, valueFrom: { secretKeyRef: { name: app, key: password } } }",
    ),
  );
  writeFileSync(join(folder.dir, "k8s/secrets.yaml"), manifests());
  mesh = await startIn(folder.dir, folder);
  await plant();
});

afterAll(async () => {
  await mesh?.stop();
  mesh?.remove();
});

/** Sends secrets through everything that could remember them: requests that pass and that are refused, wrong and torn documents. */
async function plant(): Promise<void> {
  const authorization = { authorization: `Bearer ${PLANTED.bearer}`, cookie: `session=${PLANTED.bearer}` };
  const query = `?access_token=${PLANTED.query}`;
  await waitFor("the gateway answers", async () => (await enter(`/${query}`, authorization)).status === 200);
  await http(`http://intruder.shop.test/call${query}`, {
    port: mesh.ports[0] ?? 0,
    method: "POST",
    headers: authorization,
    body: JSON.stringify({ url: `http://target.shop:8080/${query}`, headers: authorization }),
  });
  await http(`http://unknown.shop.test/${query}`, { port: mesh.ports[0] ?? 0, headers: authorization });
  const outside = join(mesh.dir, "..", "outside");
  mkdirSync(outside);
  const apply = async (name: string, text: string) => {
    writeFileSync(join(outside, name), text);
    return await kumiko(["apply", "-f", join(outside, name)], mesh.dir);
  };
  const secret = (name: string, rest: string) => `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name}, namespace: shop }\n${rest}\n`;
  expect(await apply("applied.yaml", secret("applied", `stringData: { password: ${PLANTED.applied} }`))).toMatchObject({ code: 0 });
  const refused = [
    await apply("misshapen.yaml", secret("misshapen", `data: [${PLANTED.misshapen}]`)),
    await apply("base64.yaml", secret("base64", `data: { password: "${PLANTED.misshapen}!" }`)),
    await apply("torn.yaml", secret("torn", `stringData: { password: "${PLANTED.torn} }`)),
  ];
  writeFileSync(join(mesh.dir, "k8s/wrong.yaml"), secret("wrong", `data: { list: [${PLANTED.misshapen}], p: "${PLANTED.misshapen}!" }`));
  writeFileSync(join(mesh.dir, "k8s/torn.yaml"), secret("torn", `stringData: { password: "${PLANTED.torn} }`));
  await waitFor("the torn file is reported", () => mesh.output().includes("torn.yaml"));
  joinToken = (await kumiko(["join-token", "create", "-n", "shop", "--name", "legacy-1", "--address", "10.0.0.7"], mesh.dir)).stdout.trim();
  for (const { stdout, stderr } of refused) expect(findCanaries(stdout + stderr, canaries())).toEqual([]);
}

test("the workload does get its secret, and the gateway its key", async () => {
  expect((await enter("/")).status).toBe(200);
  const [pod = ""] = (await kumiko(["get", "pods", "-n", "shop", "-l", "version=v1", "-o", "name"], mesh.dir)).stdout.split("\n");
  expect(pod).toContain("target-v1");
  expect(findCanaries(readFileSync(join(mesh.dir, "k8s/secrets.yaml"), "utf8"), canaries())).toEqual(["env", "key of the gateway"]);
});

test("F24: nothing that up prints and nothing that any command shows holds a secret", async () => {
  const commands = [
    ["status"],
    ["status", "-o", "json"],
    ...["json", "yaml", "wide"].flatMap((format) =>
      ["secrets", "pods", "deployments", "gateways", "configmaps"].map((kind) => ["get", kind, "-A", "-o", format]),
    ),
    ...["routes", "clusters", "listeners", "endpoints", "secrets", "bootstrap", "dump"].flatMap((view) =>
      ["gateway.edge", "target-v1.shop", "intruder.other"].map((workload) => ["proxy", view, workload, "-o", "json"]),
    ),
    ["proxy", "dump", "gateway.edge", "-o", "yaml"],
    ...["agent", "control-plane", "target-v1.shop", "intruder.other"].map((name) => ["logs", name]),
  ];
  const hits: string[] = findCanaries(mesh.output(), canaries()).map((name) => `up: ${name}`);
  for (const command of commands) {
    const { code, stdout, stderr } = await kumiko(command, mesh.dir);
    if (command[0] !== "status") expect(code, `${command.join(" ")}: ${stderr}`).toBe(0);
    hits.push(...findCanaries(stdout + stderr, canaries()).map((name) => `${command.join(" ")}: ${name}`));
  }
  expect(hits).toEqual([]);
});

test("F24: no answer of the admin API, the agent or Envoy's admin holds a secret", async () => {
  const { stdout } = await kumiko(["status", "-o", "json"], mesh.dir);
  const { proxies } = JSON.parse(stdout) as { proxies: readonly { namespace: string; name: string }[] };
  const pages = ["/config_dump?include_eds", "/certs", "/clusters", "/listeners", "/stats", "/server_info", "/init_dump"];
  const questions = [
    ...["/api/v1/secrets", "/api/v1/namespaces/shop/secrets/applied", "/api/v1/namespaces/edge/secrets/public-tls"].map((path) => [
      "admin.sock",
      path,
    ]),
    ...["/kumiko/v1/status", "/kumiko/v1/diagnostics", "/kumiko/v1/proxies"].map((path) => ["admin.sock", path]),
    ["agent.sock", "/proxies"],
    ...proxies.flatMap(({ namespace, name }) =>
      pages.map((page) => ["agent.sock", `/proxies/${namespace}/${name}/admin?path=${encodeURIComponent(page)}`]),
    ),
  ];
  for (const [socket = "", path = ""] of questions) {
    const { status, text } = await ask(join(mesh.runDir, socket), path);
    expect(status, path).toBeLessThan(400);
    expect(findCanaries(text, canaries()), path).toEqual([]);
  }
});

test("F24: no file that the mesh writes holds a secret, but the store what was applied and the last good copies of files", () => {
  const files = [join(mesh.dir, ".kumiko"), mesh.runDir]
    .flatMap(modesUnder)
    .filter(({ path }) => !path.endsWith("/") && !path.endsWith(".sock"));
  const hits = files.flatMap(({ path }) =>
    findCanaries(readFileSync(path, "latin1"), canaries()).map((name) => `${relative(mesh.dir, path)}: ${name}`),
  );
  const inStore = /^\.kumiko\/store\.db(-journal)?: (applied|env|key of the gateway)$/;
  expect(hits.filter((hit) => !inStore.test(hit))).toEqual([]);
  expect(hits.some((hit) => inStore.test(hit))).toBe(true);
});

test("files and sockets are their owner's only, and so are folders", () => {
  const all = [join(mesh.dir, ".kumiko"), mesh.runDir].flatMap(modesUnder);
  expect(all.filter(({ path, mode }) => mode !== (path.endsWith("/") ? "700" : "600"))).toEqual([]);
  for (const holder of [
    /ca\/root\.key$/,
    /ca\/intermediate\.key$/,
    /identity\.json$/,
    /store\.db$/,
    /agent\.sock$/,
    /p\/[0-9a-f]{8}\/xds\.sock$/,
  ])
    expect(
      all.some(({ path }) => holder.test(path)),
      String(holder),
    ).toBe(true);
});
