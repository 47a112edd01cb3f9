import { CALLED_HOSTS_PATH, parseCalledHosts } from "../agent/index.ts";
import {
  type DeclaredResource,
  type MachineOptions,
  type PodReports,
  type ProxyControl,
  RUNTIME_KINDS,
  startMachine,
} from "../runtime/index.ts";
import { MeshError } from "../model/error.ts";
import type { ResourcePath } from "../model/resource-path.ts";
import type { OpenWork } from "../model/open-work.ts";
import { type AdminAnswer, type AdminRequest, ask, messageOf } from "./admin-client.ts";
import { meshSettled } from "./mesh-settled.ts";
import { followFeed } from "./resource-feed.ts";

export interface MachineProcessOptions
  extends Pick<MachineOptions, "mode" | "mountWay" | "runDir" | "stateDir" | "folder" | "visible" | "hidden" | "images"> {
  /** Files and folders of manifests, of which kustomizations may take in others. */
  readonly resources: readonly ResourcePath[];
  readonly agentCommand: readonly string[];
  readonly adminSocket: string;
  readonly agentSocket: string;
  readonly feedSocket: string;
}

/** The first process of the namespaces: joins the runtime to the control plane's admin API and to the agent. Ends when its input ends. */
export async function runMachine(options: MachineProcessOptions): Promise<void> {
  const { adminSocket, agentSocket, feedSocket, agentCommand, resources, ...machine } = options;
  await startMachine({
    ...machine,
    hiddenNow: async () => {
      const { hiddenBases } = await import("./visible-folders.ts");
      return await hiddenBases({ resources, images: machine.images }, machine.folder);
    },
    subscribe: (listener) => followFeed(feedSocket, RUNTIME_KINDS, (resources) => listener(resources as readonly DeclaredResource[])),
    reports: podReports(adminSocket),
    agent: proxyControl(agentSocket),
    agentProcess: { command: agentCommand, socket: agentSocket },
  });
}

function podReports(socket: string): PodReports {
  const pathOf = ({ namespace, name }: { namespace: string; name: string }) => `/api/v1/namespaces/${namespace}/pods/${name}`;
  return {
    async reportPod(pod) {
      const updated = await ask(socket, pathOf(pod.metadata), { method: "PUT", body: pod });
      if (updated.status !== 404) return must(updated);
      must(await ask(socket, `/api/v1/namespaces/${pod.metadata.namespace}/pods`, { method: "POST", body: pod }));
    },
    removePod: async (ref) => mustOrGone(await ask(socket, pathOf(ref), { method: "DELETE" })),
    // The report that the Pod is going was acknowledged before; what is left is that the proxies say so, too.
    endpointGone: () => meshSettled(socket, { pods: 0, timeoutMs: ENDPOINT_GONE_MS, signal: AbortSignal.timeout(ENDPOINT_GONE_MS) }),
  };
}

const ENDPOINT_GONE_MS = 2000;

/** An Envoy that doesn't end by itself is killed by then. */
const REMOVE_MS = 15_000;

function proxyControl(socket: string): ProxyControl {
  const call = (ref: { namespace: string; name: string }, suffix = "", options: AdminRequest = {}) =>
    ask(socket, `/proxies/${ref.namespace}/${ref.name}${suffix}`, options);
  return {
    put: async (request) => must(await call(request, "", { method: "PUT", body: request })),
    drain: async (ref) => must(await call(ref, "/drain", { method: "POST" })),
    async openWork(ref) {
      const answer = await call(ref, "/open");
      must(answer);
      return answer.body as OpenWork;
    },
    async calledHosts(ref) {
      const answer = await call(ref, `/admin?path=${encodeURIComponent(CALLED_HOSTS_PATH)}`);
      must(answer);
      return parseCalledHosts(answer.text);
    },
    remove: async (ref) => mustOrGone(await call(ref, "", { method: "DELETE", timeoutMs: REMOVE_MS })),
    async ready(ref) {
      const { status, body } = await call(ref);
      return status === 200 && (body as { readonly ready?: unknown }).ready === true;
    },
  };
}

function must(answer: AdminAnswer): void {
  if (answer.status >= 300) throw new MeshError("protocol", messageOf(answer));
}

function mustOrGone(answer: AdminAnswer): void {
  if (answer.status !== 404) must(answer);
}
