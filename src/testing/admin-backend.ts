import type { AdminBackend, HeldRemoval, HeldResource, HostState, ProxyConfig, ProxyStatus } from "../admin/backend.ts";
import { type Diagnostic, diagnostic } from "../model/diagnostic.ts";
import type { Metadata, LocatedResource, ResourceRef } from "../model/resource.ts";

export interface FakeBackendOptions {
  readonly resources?: readonly HeldResource[];
  readonly proxies?: readonly ProxyStatus[];
  readonly diagnostics?: readonly Diagnostic[];
  readonly heldRemovals?: readonly HeldRemoval[];
  /** By `namespace/name`. */
  readonly configs?: Readonly<Record<string, ProxyConfig>>;
  /** What the proxies' Envoys answer to /config_dump. */
  readonly configDump?: unknown;
}

/** A resource as the fake holds it. */
export function heldResource(
  over: {
    readonly kind: string;
    readonly apiVersion: string;
    readonly metadata: Partial<Metadata> & { readonly name: string };
    readonly body?: unknown;
  },
  holder: HeldResource["holder"] = "store",
  revision = "1",
): HeldResource {
  const resource: LocatedResource = {
    apiVersion: over.apiVersion,
    kind: over.kind,
    metadata: { namespace: "default", labels: {}, annotations: {}, ...over.metadata },
    body: over.body ?? { spec: {} },
    hash: revision,
    locate: () => ({ file: holder === "folder" ? `manifests/${over.metadata.name}.yaml` : holder, line: 3, column: 1 }),
  };
  return { resource, revision, holder };
}

/** Keeps resources in memory by the rules that AdminBackend states. A document whose `spec.wrong` is set is invalid. */
export function fakeBackend(options: FakeBackendOptions = {}): AdminBackend {
  const held = new Map((options.resources ?? []).map((one) => [keyOf({ ...one.resource.metadata, kind: one.resource.kind }), one]));
  let revision = 1;
  let removals = options.heldRemovals ?? [];
  let host: HostState = { programs: [], weaker: [] };
  const refusalOf = (current: HeldResource | undefined, expected: string | undefined) => {
    if (current?.holder === "folder") return { kind: "declared", position: current.resource.locate([]) } as const;
    if (current !== undefined && expected !== undefined && expected !== current.revision)
      return { kind: "conflict", revision: current.revision } as const;
    return undefined;
  };
  return {
    list: (kind) => [...held.values()].filter((one) => one.resource.kind === kind),
    get: (ref) => held.get(keyOf(ref)),
    revision: () => String(revision),
    async put(document, conditions) {
      const { kind, apiVersion, metadata, ...body } = document as Record<string, unknown> & {
        kind: string;
        apiVersion: string;
        metadata: Metadata;
      };
      const key = keyOf({ kind, namespace: metadata.namespace ?? "", name: metadata.name });
      const current = held.get(key);
      if ((body["spec"] as { wrong?: unknown } | undefined)?.wrong !== undefined) {
        return { kind: "invalid", diagnostics: [diagnostic("KMK1001", { message: "spec.wrong: can't be here", help: "remove it" })] };
      }
      const refusal = refusalOf(current, conditions.revision);
      if (refusal !== undefined) return refusal;
      if (conditions.mode === "create" && current !== undefined) return { kind: "conflict", revision: current.revision };
      if (conditions.mode === "update" && current === undefined) return { kind: "absent" };
      revision += 1;
      const next = heldResource(
        { kind, apiVersion, metadata: { ...metadata, namespace: metadata.namespace ?? "" }, body },
        "store",
        String(revision),
      );
      held.set(key, next);
      return { kind: current === undefined ? "created" : "updated", held: next };
    },
    async delete(ref, conditions) {
      const current = held.get(keyOf(ref));
      const refusal = refusalOf(current, conditions.revision);
      if (refusal !== undefined) return refusal;
      if (current === undefined) return { kind: "absent" };
      held.delete(keyOf(ref));
      return { kind: "deleted", held: current };
    },
    status: () => ({
      version: "0.1.0",
      startedAt: "2026-01-01T00:00:00Z",
      pid: 1,
      command: "up",
      root: "/home/user/shop",
      profile: "zero-trust",
      trustDomain: "cluster.local",
      authority: { kind: "development", notAfter: "2027-01-01T00:00:00Z" },
      resources: held.size,
      revision: String(revision),
      host,
    }),
    reportHost: (state) => {
      host = state;
    },
    diagnostics: () => options.diagnostics ?? [],
    proxies: async () => options.proxies ?? [],
    configOf: ({ namespace, name }) => options.configs?.[`${namespace}/${name}`],
    askEnvoy: async ({ namespace, name }) =>
      options.configs?.[`${namespace}/${name}`] === undefined
        ? undefined
        : { status: 200, contentType: "application/json", body: JSON.stringify(options.configDump ?? { configs: [] }) },
    heldRemovals: () => removals,
    acceptRemovals: async (files) => {
      const released = removals.filter(({ file }) => files?.includes(file) !== false);
      removals = removals.filter((one) => !released.includes(one));
      return released;
    },
    issueJoinToken: async ({ namespace, name, serviceAccount = "default", ttlMs }) => ({
      token: "join.fake",
      expiresAt: new Date(Date.UTC(2026, 0, 1) + ttlMs).toISOString(),
      namespace,
      name,
      serviceAccount,
    }),
  };
}

function keyOf({ kind, namespace, name }: ResourceRef): string {
  return `${kind}/${namespace}/${name}`;
}
