import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Diagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { Kubelet } from "../runtime/kubelet.ts";
import type { PodDocument } from "../runtime/pod.ts";
import { namespacePorts } from "../runtime/pod-ports.ts";
import type { OpenWork } from "../model/open-work.ts";
import type { ProxyControl, PodReports, ProxyRequest } from "../runtime/pod-surroundings.ts";
import { createPortSandboxes } from "../runtime/port-sandbox.ts";
import type { DeclaredResource } from "../runtime/resources.ts";
import { systemPath } from "../runtime/system-path.ts";

const NOTHING: OpenWork = { requests: 0, connections: 0 };

/** A kubelet whose applications run; control plane and agent are fakes, which remember what they were told and fail when asked to. */
export class KubeletWorld {
  readonly stateDir = mkdtempSync(join(tmpdir(), "kumiko-kubelet-"));
  /** What happened: `users not ready`, `users endpoint gone`, `users drains`, `users proxy ends`, `users removed`. */
  readonly told: string[] = [];
  readonly documents = new Map<string, PodDocument>();
  readonly proxies: ProxyRequest[] = [];
  readonly kubelet: Kubelet;
  diagnostics: readonly Diagnostic[] = [];
  proxyReady = false;
  failing = false;
  /** Nobody listens on the agent's socket. */
  withoutAgent = false;
  open: OpenWork = NOTHING;
  /** How often it was asked what is open. */
  looks = 0;
  /** By the name of the Deployment that calls. */
  calledHosts: Readonly<Record<string, readonly string[]>> = {};

  constructor() {
    this.kubelet = new Kubelet({
      sandboxes: createPortSandboxes({ runDir: this.stateDir, mountWay: undefined, hosts: () => [] }),
      ports: namespacePorts,
      images: () => ({}),
      folder: this.stateDir,
      stateDir: this.stateDir,
      baseEnv: { PATH: systemPath() },
      onDiagnostics: (diagnostics) => {
        this.diagnostics = diagnostics;
      },
      agent: this.#agent(),
      reports: this.#reports(),
    });
  }

  #agent(): ProxyControl {
    return {
      put: async (request) => {
        this.#fail("put");
        if (this.withoutAgent) throw new MeshError("network", "agent.sock: connect ENOENT agent.sock");
        this.proxies.push(request);
      },
      ready: async () => this.proxyReady,
      drain: async ({ name }) => this.#tell(name, "drains"),
      openWork: async () => {
        this.looks += 1;
        return this.open;
      },
      calledHosts: async ({ name }) => this.calledHosts[workloadOf(name)] ?? [],
      remove: async ({ name }) => this.#tell(name, "proxy ends"),
    };
  }

  #reports(): PodReports {
    return {
      reportPod: async (pod) => {
        this.#fail("report");
        this.documents.set(pod.metadata.name, pod);
        if (JSON.stringify(pod.status).includes('"False"')) this.#tell(pod.metadata.name, "not ready");
      },
      endpointGone: async ({ name }) => this.#tell(name, "endpoint gone"),
      removePod: async ({ name }) => this.#tell(name, "removed"),
    };
  }

  #tell(pod: string, what: string): void {
    this.told.push(`${workloadOf(pod)} ${what}`);
  }

  #fail(what: string): void {
    if (!this.failing) return;
    this.told.push(`${what} failed`);
    throw new Error(`${what} failed`);
  }

  /** The newest pod that was reported is ready. */
  isReady(): boolean {
    const [document] = [...this.documents.values()].slice(-1);
    return JSON.stringify(document?.status["conditions"] ?? "").includes('"True"');
  }

  /** What the first pod of a Deployment has written; that of the first Deployment by default. */
  log(workload = ""): string {
    const name = [...this.documents.keys()].find((pod) => pod.startsWith(workload)) ?? "";
    try {
      return readFileSync(join(this.stateDir, "logs/shop", `${name}.log`), "utf8");
    } catch {
      return "";
    }
  }

  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + 60_000;
    while (!holds()) {
      if (performance.now() > deadline)
        throw new Error(`not within 60 s: ${JSON.stringify({ pods: this.kubelet.pods, told: this.told, log: this.log() })}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async close(): Promise<void> {
    this.failing = false;
    this.open = NOTHING;
    await this.kubelet.stop();
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}

function workloadOf(pod: string): string {
  return pod.split("-")[0] ?? "";
}

/** A Deployment of namespace shop whose one container runs a shell script. */
export function declareDeployment(script: string, container: object = {}, name = "users", template: object = {}): DeclaredResource {
  const app = { name: "app", image: `shop/${name}`, command: ["sh", "-c", script], ...container };
  const { annotations, ...spec } = template as { readonly annotations?: object };
  const metadata = { labels: { app: name }, ...(annotations !== undefined && { annotations }) };
  return {
    kind: "Deployment",
    metadata: { name, namespace: "shop", labels: {}, annotations: {} },
    body: { spec: { template: { metadata, spec: { containers: [app], terminationGracePeriodSeconds: 2, ...spec } } } },
  };
}
