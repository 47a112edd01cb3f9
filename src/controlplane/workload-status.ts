import { valuesOf } from "../base/tree.ts";
import type { ProxyConfigState, ProxyStatus } from "../admin/index.ts";
import { formatIdentity } from "../model/identity.ts";
import type { Resource } from "../model/resource.ts";
import type { XdsService } from "../xds/index.ts";
import { ask } from "./admin-client.ts";
import type { LiveMesh } from "./live-mesh.ts";
import { readPod } from "./pod-readiness.ts";

export interface WorkloadStatusParts {
  readonly live: LiveMesh;
  readonly xds: XdsService;
  readonly trustDomain: string;
  /** Of the agent of this machine. */
  readonly agentSocket: string;
}

type Name = Pick<ProxyStatus, "namespace" | "name">;

/** What the agent says of one of its proxies (`GET /proxies`). */
interface AgentProxy extends Name {
  readonly ready: boolean;
  readonly stale: boolean;
  readonly lastError?: string;
  readonly envoy: { readonly version: string };
  readonly certificate: { readonly identity: string; readonly notBefore?: string; readonly notAfter?: string };
}

/** One line for each workload, as xDS, the agent and the runtime see it together: also a Pod whose proxy isn't there, or that has none. */
export async function listWorkloads(parts: WorkloadStatusParts): Promise<readonly ProxyStatus[]> {
  const ofAgent = new Map((await askAgent(parts.agentSocket)).map((proxy) => [keyOf(proxy), proxy]));
  // The status of all streams is one pass over what each of them holds. Of two streams of one proxy the later counts: the other is about to end.
  const ofXds = new Map(parts.xds.status().map((live) => [keyOf(live.proxy), live]));
  const pods = new Map(podsOf(parts.live).map((pod) => [keyOf(pod.metadata), pod]));
  const names = new Map<string, Name>();
  for (const { proxy } of parts.live.records.all()) names.set(keyOf(proxy), proxy);
  for (const proxy of ofAgent.values()) names.set(keyOf(proxy), proxy);
  for (const { metadata } of pods.values()) names.set(keyOf(metadata), metadata);
  return [...names].flatMap(
    ([key, name]) => toStatus(parts, name, { live: ofXds.get(key), agent: ofAgent.get(key), resource: pods.get(key) }) ?? [],
  );
}

function keyOf({ namespace, name }: Name): string {
  return `${namespace}/${name}`;
}

function podsOf(live: LiveMesh): readonly Resource[] {
  return [...valuesOf(live.world.held)].flatMap(({ resource, holder }) =>
    resource.kind === "Pod" && holder === "runtime" ? [resource] : [],
  );
}

async function askAgent(socket: string): Promise<readonly AgentProxy[]> {
  try {
    const { body } = await ask(socket, "/proxies", { timeoutMs: 2000 });
    return (body as { readonly items?: readonly AgentProxy[] }).items ?? [];
  } catch {
    // No agent on this machine, or one that is just starting again: xDS alone answers then.
    return [];
  }
}

/** What each side knows of one workload. */
interface Known {
  readonly live: LiveStatus | undefined;
  readonly agent: AgentProxy | undefined;
  readonly resource: Resource | undefined;
}

function toStatus(parts: WorkloadStatusParts, { namespace, name }: Name, { live, agent, resource }: Known): ProxyStatus | undefined {
  const record = parts.live.records.find(namespace, name);
  // A workload that has ended: its stream is gone, and so are its proxy and its Pod.
  if (live === undefined && agent === undefined && resource === undefined) return undefined;
  const pod = resource && readPod(resource);
  const hasProxy = live !== undefined || agent !== undefined || pod?.hasProxy === true;
  const serviceAccount = record?.proxy.serviceAccount ?? pod?.serviceAccount ?? "default";
  const { notBefore, notAfter } = agent?.certificate ?? {};
  const isProxyReady = !hasProxy || (agent?.ready ?? live !== undefined);
  return {
    namespace,
    name,
    type: hasProxy ? (record?.proxy.type ?? "sidecar") : "none",
    ready: isProxyReady && pod?.ready !== false,
    note: agent?.lastError || pod?.message || "",
    stopping: pod?.stopping ?? false,
    restarts: pod?.restarts ?? 0,
    version: agent?.envoy.version ?? record?.proxy.version ?? "",
    config: hasProxy ? stateOf(live, agent, record?.acknowledgedAt) : { kind: "none" },
    identity: hasProxy
      ? (agent?.certificate.identity ?? formatIdentity({ trustDomain: parts.trustDomain, namespace, serviceAccount }))
      : "",
    ...(notBefore !== undefined && notAfter !== undefined && { certificate: { notBefore, notAfter } }),
  };
}

type LiveStatus = ReturnType<XdsService["status"]>[number];

function stateOf(live: LiveStatus | undefined, agent: AgentProxy | undefined, acknowledgedAt: string | undefined): ProxyConfigState {
  if (live === undefined) return agent?.stale === true ? { kind: "stale" } : { kind: "disconnected" };
  const refused = live.types.find((type) => type.lastError !== "" || type.refused.length > 0);
  if (refused !== undefined) return { kind: "refused", type: refused.type, message: refused.lastError || formatRefusals(refused) };
  if (acknowledgedAt === undefined || live.types.length === 0 || live.types.some(({ isSynced }) => !isSynced)) return { kind: "pending" };
  return { kind: "acknowledged", at: acknowledgedAt };
}

function formatRefusals({ refused }: LiveStatus["types"][number]): string {
  return refused.map(({ name }) => name).join(", ");
}
