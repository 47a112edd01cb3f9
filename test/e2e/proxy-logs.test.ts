import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { http } from "./harness/http.ts";
import { kumiko, prepareFolder, type RunningMesh, startIn } from "./harness/mesh.ts";
import { waitFor } from "./harness/wait.ts";

/** The sample, with a frontend that can break HTTP. */
async function startSample(profile: string): Promise<RunningMesh> {
  const { dir, ports, remove } = await prepareFolder(sample);
  const launch = join(dir, "kumiko.yaml");
  writeFileSync(launch, readFileSync(launch, "utf8").replace("app/frontend.mjs", "workloads/broken-answers.mjs"));
  return startIn(dir, { args: ["--profile", profile], ports, remove });
}

const sample = fileURLToPath(new URL("../../samples/hello", import.meta.url));

interface Line {
  readonly status: number;
  readonly method: string;
  readonly why: string;
  readonly because: readonly { readonly resource: string; readonly source: string }[];
  readonly request_id: string;
}

describe.each(["zero-trust", "istio"])("in profile %s", (profile) => {
  let mesh: RunningMesh;
  const logs = (...args: readonly string[]) => kumiko(["logs", ...args], mesh.dir);
  const call = (path: string, method = "GET") => http(`http://hello.test${path}`, { port: mesh.ports[0] ?? 0, method });
  const lines = async (workload: string, ...args: readonly string[]) =>
    (await logs(workload, "--proxy", "--output", "json", ...args)).stdout
      .trim()
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));

  beforeAll(async () => {
    mesh = await startSample(profile);
    expect((await call("/")).status).toBe(200);
    expect((await call("/nope")).status).toBe(403);
    expect((await call("/", "DELETE")).status).toBe(403);
    // Envoy writes its log every now and then.
    await waitFor("both refusals are in the log", async () => {
      const refused = await Promise.all(["frontend", "gateway"].map((workload) => lines(workload, "--status", "403").catch(() => [])));
      return refused[0]?.length === 1 && refused[1]?.length === 2;
    });
  });

  afterAll(async () => {
    await mesh?.stop();
    mesh?.remove();
  });

  const policyLine = (name: string) => {
    const text = readFileSync(join(mesh.dir, "manifests/policies.yaml"), "utf8").split("\n");
    return text.findIndex((line) => line.includes(`name: ${name}`)) + 1;
  };

  test("a refusal at a workload is found with caller, reason and the policy's file and line", async () => {
    const [refused] = await lines("frontend", "--failed");
    expect(refused).toMatchObject({ status: 403, method: "GET", why: "denied: no AuthorizationPolicy allows it" });
    expect(refused?.because).toEqual([
      { resource: "AuthorizationPolicy/hello/gateway-to-frontend", source: expect.stringContaining("manifests/policies.yaml:") },
    ]);
    const at = Number(refused?.because[0]?.source.split(":").at(-1));
    expect(at).toBeGreaterThanOrEqual(policyLine("gateway-to-frontend") - 2);
    expect(at).toBeLessThan(policyLine("frontend-to-greeter") - 2);
    const { stdout } = await logs("frontend", "--proxy", "--failed");
    expect(stdout).toMatch(
      /^\S+Z 403 GET hello\.test:?\d*\/nope spiffe:\/\/cluster\.local\/ns\/hello\/sa\/gateway → hello\/frontend-\S+: denied: no AuthorizationPolicy allows it \(manifests\/policies\.yaml:\d+ AuthorizationPolicy\/hello\/gateway-to-frontend\) id \S+\n$/,
    );
  });

  test("a gateway's own refusal too; what came from further on carries no reason of its own", async () => {
    const refused = await lines("gateway", "--status", "4xx");
    expect(refused.map(({ method, why }) => [method, why])).toEqual([
      ["GET", ""],
      ["DELETE", "denied: no AuthorizationPolicy allows it"],
    ]);
    expect(refused[1]?.because[0]?.resource).toBe("AuthorizationPolicy/hello/anyone-may-enter");
    expect((await lines("frontend", "--failed"))[0]?.request_id).toBe(refused[0]?.request_id);
    // Profile istio logs what fails alone.
    expect(await lines("gateway", "--status", "2xx", "--tail", "1")).toHaveLength(profile === "istio" ? 0 : 1);
  });

  test.each(["transfer-encoding-twice", "chunked-204", "header-name", "large-headers"])(
    "an answer that breaks HTTP becomes a 502 of which the log tells what it can be, and whose Service: %s",
    async (broken) => {
      const before = (await lines("frontend", "--status", "502")).length;
      expect((await call(`/?broken=${broken}`)).status).toBe(502);
      await waitFor("it is in the log", async () => (await lines("frontend", "--status", "502")).length > before);
      const [refused] = await lines("frontend", "--status", "502", "--tail", "1");
      expect(refused?.why).toMatch(/^the answer breaks HTTP .*Transfer-Encoding twice.*204.*header name.*headers/);
      expect(refused?.because).toEqual([
        { resource: "Service/hello/frontend", source: expect.stringMatching(/manifests\/frontend\.yaml:\d+$/) },
      ]);
    },
  );

  test("where the access log is switched off, that is said instead of nothing", async () => {
    expect((await logs("greeter", "--proxy", "--status", "418")).stderr).toMatch(/^no such line in the access log/);
    mesh.edit(
      "manifests/namespace.yaml",
      (text) =>
        `${text}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: 'accessLogFile: ""' }\n`,
    );
    await waitFor("it is said", async () =>
      (await logs("greeter", "--proxy", "--status", "418")).stderr.startsWith("the access log is off: MeshConfig says so"),
    );
  });

  test("an unknown status is refused, and so are the options without --proxy", async () => {
    expect(await logs("frontend", "--proxy", "--status", "abc")).toMatchObject({ code: 2 });
    expect(await logs("frontend", "--failed")).toMatchObject({ code: 2, stderr: expect.stringContaining("--failed is for --proxy") });
  });
});
