import { valuesOf } from "../base/tree.ts";
import type {
  AdminBackend,
  DeleteResult,
  HeldRemoval,
  HeldResource,
  HostState,
  JoinRequest,
  JoinToken,
  MeshStatus,
  ProxyConfig,
  WriteConditions,
  WriteResult,
} from "../admin/index.ts";
import type { Authority, JoinTokens } from "../ca/index.ts";
import { MeshError } from "../model/error.ts";
import { type ResourceRef, refOf } from "../model/resource.ts";
import { checkDocument } from "../schema/index.ts";
import type { FileSource, HeldRemoval as HeldInFiles } from "../source/index.ts";
import type { XdsService } from "../xds/index.ts";
import { ask } from "./admin-client.ts";
import type { Applied } from "./applied.ts";
import { planJoin } from "./join.ts";
import type { LiveMesh } from "./live-mesh.ts";
import { listWorkloads } from "./workload-status.ts";
import { findHeld } from "./world.ts";

export interface BackendParts {
  readonly live: LiveMesh;
  readonly applied: Applied;
  readonly files: FileSource;
  readonly xds: XdsService;
  readonly authority: Authority;
  readonly joinTokens: JoinTokens;
  /** Of the agent of this machine. */
  readonly agentSocket: string;
  readonly about: Pick<MeshStatus, "version" | "pid" | "startedAt" | "command" | "root">;
}

/** The admin API's view of everything: resources from the World, proxies from xDS and the agent together. */
export function createBackend(parts: BackendParts): AdminBackend {
  const { live } = parts;
  let host: HostState = { programs: [], weaker: [] };
  return {
    list: (kind) => [...valuesOf(live.world.held)].filter(({ resource }) => resource.kind === kind),
    get: (ref) => findHeld(live.world, ref),
    revision: () => live.world.revision,
    put: (document, conditions) => putDocument(parts, document, conditions),
    delete: (ref, conditions) => deleteResource(parts, ref, conditions),
    status: () => toMeshStatus(parts, host),
    reportHost: (state) => {
      host = state;
    },
    diagnostics: () => live.diagnostics(),
    proxies: () => listWorkloads({ ...parts, trustDomain: parts.authority.trustDomain }),
    configOf: (name) => configOf(parts, name),
    async askEnvoy({ namespace, name }, path) {
      const { status, text, contentType } = await ask(
        parts.agentSocket,
        `/proxies/${namespace}/${name}/admin?path=${encodeURIComponent(path)}`,
      );
      return status === 404 ? undefined : { status, contentType, body: text };
    },
    heldRemovals: () => parts.files.heldRemovals().map(toHeldRemoval),
    acceptRemovals: async (files) =>
      (await parts.files.acceptRemovals(({ file }) => files === undefined || files.includes(file))).map(toHeldRemoval),
    issueJoinToken: (request) => issueJoinToken(parts, request),
  };
}

function toHeldRemoval({ resource, file, reason }: HeldInFiles): HeldRemoval {
  return { file, reason, resource: refOf(resource) };
}

async function issueJoinToken({ live, authority, joinTokens }: BackendParts, request: JoinRequest): Promise<JoinToken | string> {
  const plan = planJoin(live.world, request, Date.now());
  if (typeof plan === "string") return plan;
  const { namespace, name, ttlMs } = request;
  const { serviceAccount, registers } = plan;
  const identity = { trustDomain: authority.trustDomain, namespace, serviceAccount };
  try {
    const { token, expiresAtMs } = await joinTokens.create({ identity, ttlMs, ...(registers !== undefined && { registers }) });
    return { token, expiresAt: new Date(expiresAtMs).toISOString(), namespace, name, serviceAccount };
  } catch (thrown) {
    if (thrown instanceof MeshError && thrown.code === "usage") return thrown.message;
    throw thrown;
  }
}

function toMeshStatus({ live, authority, about }: BackendParts, host: HostState): MeshStatus {
  return {
    ...about,
    profile: live.world.mesh.settings.profile,
    trustDomain: authority.trustDomain,
    authority: { kind: authority.isDevelopment ? "development" : "external", notAfter: new Date(authority.signerNotAfterMs).toISOString() },
    resources: live.world.held.size,
    revision: live.world.revision,
    host,
  };
}

type Document = Readonly<Record<string, unknown>>;

const check = (value: Document) => checkDocument({ value, locate: () => ({ file: "request", line: 1, column: 1 }) });

async function putDocument({ live, applied }: BackendParts, sent: Document, conditions: WriteConditions): Promise<WriteResult> {
  const { ref } = check(sent);
  const before = ref === undefined ? undefined : findHeld(live.world, ref);
  const document = withCreationTime(sent, before);
  const { resource, diagnostics } = check(document);
  if (ref === undefined || resource === undefined) return { kind: "invalid", diagnostics };
  if (before?.holder === "folder") return { kind: "declared", position: before.resource.locate([]) };
  const refusal = checkConditions(before, conditions);
  if (refusal !== undefined) return refusal;
  if (before?.resource.hash === resource.hash) return { kind: "unchanged", held: before };
  const isWritten = await applied.put(ref, document);
  const held = findHeld(live.world, ref);
  if (!isWritten || held === undefined) return { kind: "conflict", revision: held?.revision ?? "", exists: held !== undefined };
  return { kind: before === undefined ? "created" : "updated", held };
}

/** The time of the first write stays, whatever a later one says; it is what AGE is counted from. */
function withCreationTime(document: Document, before: HeldResource | undefined): Document {
  const creationTimestamp = before?.resource.metadata.creationTimestamp ?? new Date().toISOString();
  return { ...document, metadata: { ...(document["metadata"] as Document | undefined), creationTimestamp } };
}

function checkConditions(before: HeldResource | undefined, { mode, revision }: WriteConditions): WriteResult | undefined {
  if (mode === "create" && before !== undefined) return { kind: "conflict", revision: before.revision, exists: true };
  if (mode === "update" && before === undefined) return { kind: "absent" };
  if (revision !== undefined && before !== undefined && revision !== before.revision)
    return { kind: "conflict", revision: before.revision, exists: true };
  return undefined;
}

async function deleteResource(
  { live, applied }: BackendParts,
  ref: ResourceRef,
  { revision }: { readonly revision?: string },
): Promise<DeleteResult> {
  const held = findHeld(live.world, ref);
  if (held === undefined) return { kind: "absent" };
  if (held.holder === "folder") return { kind: "declared", position: held.resource.locate([]) };
  const isStale = revision !== undefined && revision !== held.revision;
  if (isStale || !(await applied.delete(ref))) return { kind: "conflict", revision: held.revision, exists: true };
  return { kind: "deleted", held };
}

function configOf(
  { live }: BackendParts,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): ProxyConfig | undefined {
  const record = live.records.find(namespace, name);
  if (record === undefined) return undefined;
  const { accessLog } = live.world.mesh.settings;
  return {
    type: record.proxy.type,
    ...(accessLog !== undefined && { accessLog }),
    snapshot: live.snapshotFor(record.proxy),
    locate: (origin) => live.locate(origin),
  };
}
