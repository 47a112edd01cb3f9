import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultCacheDir, findEnvoy } from "../../../src/agent/index.ts";
import { begin } from "../../../src/meshtest/begin.ts";
import { TestIssuers } from "../../../src/meshtest/issuers.ts";
import { loadTests } from "../../../src/meshtest/load.ts";
import { WorkloadNames } from "../../../src/meshtest/names.ts";
import { TestAuthorities } from "../../../src/meshtest/real/authorities.ts";
import { createLab } from "../../../src/meshtest/real/lab/create-lab.ts";
import type { Exchange } from "../../../src/meshtest/real/exchange.ts";
import type { Lab, LabMesh, RunningMesh } from "../../../src/meshtest/real/lab.ts";
import { toClientOrders } from "../../../src/meshtest/real/to-client-orders.ts";
import { toLabMesh } from "../../../src/meshtest/real/to-lab-mesh.ts";
import { TestMesh } from "../../../src/meshtest/test-mesh.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

export async function openTestLab(runtimeDir: string, over: { readonly envoyPath?: string } = {}): Promise<Lab> {
  const { path } = await findEnvoy({ explicit: process.env["KUMIKO_ENVOY"], cacheDir: defaultCacheDir(process.env) });
  return createLab({ envoyPath: path, selfCommand: [process.execPath, MAIN], runtimeDir, ...over });
}

/** The mesh of a MeshTest's text, and its calls as they are sent. */
export interface WrittenMesh {
  readonly lab: LabMesh;
  /** Sends the requests of the call of that name. */
  send(running: RunningMesh, call: string): Promise<Exchange>;
}

/** Reads the text of one MeshTest with its resources. */
export async function writtenMesh(text: string): Promise<WrittenMesh> {
  const folder = mkdtempSync(join(tmpdir(), "kumiko-lab-mesh-"));
  try {
    writeFileSync(join(folder, "mesh.yaml"), text);
    const { files } = await loadTests({ paths: ["mesh.yaml"], cwd: folder });
    const loaded = files[0]?.tests[0];
    if (loaded === undefined) throw new Error(files.flatMap(({ errors }) => errors.map(({ message }) => message)).join("\n"));
    const issuers = new TestIssuers();
    const authorities = new TestAuthorities(Date.now());
    const mesh = new TestMesh(loaded, issuers, { certificateFor: authorities.secretFor });
    const names = new WorkloadNames(mesh.workloads, loaded.test.namespace);
    const calls = loaded.test.calls.map((call) => {
      const begun = begin(call, { mesh, names }, { issuers, nowMs: Date.now() });
      return { call, beginnings: "beginnings" in begun ? begun.beginnings : [] };
    });
    const requests = calls.flatMap(({ beginnings }) => beginnings.map(({ request }) => request));
    return {
      lab: toLabMesh(mesh, requests, authorities),
      async send(running, name) {
        const found = calls.find(({ call }) => call.name === name);
        if (found === undefined) throw new Error(`no call "${name}"`);
        const { sender, orders } = toClientOrders(found.call, found.beginnings, mesh, authorities);
        return await running.exchange(sender, orders, found.call.request.concurrency);
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
