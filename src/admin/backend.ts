import type { AccessLogSettings } from "../mesh/index.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Origin } from "../model/origin.ts";
import type { SourcePosition } from "../model/position.ts";
import type { ProgramStatus } from "../model/program-status.ts";
import type { LocatedResource, ResourceRef } from "../model/resource.ts";
import type { Snapshot } from "../translate/envoy/resource.ts";

/** A resource as the API hands it out. */
export interface HeldResource {
  readonly resource: LocatedResource;
  /** Changes whenever the resource does; compared as a text only (Kubernetes' resourceVersion). */
  readonly revision: string;
  /** `folder`: declared by a file, which alone may change it. `store`: applied. `runtime`: written by the runtime, Pods for example. */
  readonly holder: "folder" | "store" | "runtime";
}

/** What a write came to. */
export type WriteResult =
  | { readonly kind: "created" | "updated" | "unchanged"; readonly held: HeldResource }
  /** The folder declares it. */
  | { readonly kind: "declared"; readonly position: SourcePosition }
  /** The revision that the writer had seen is not the current one, or a create found the resource there. */
  | { readonly kind: "conflict"; readonly revision: string; readonly exists?: boolean }
  | { readonly kind: "invalid"; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "absent" };

export type DeleteResult =
  | { readonly kind: "deleted"; readonly held: HeldResource }
  | Extract<WriteResult, { readonly kind: "declared" | "conflict" | "absent" }>;

export interface WriteConditions {
  /** `create`: must not exist yet; `update`: must exist; `any`: either. */
  readonly mode: "create" | "update" | "any";
  /** The revision that the writer has seen; absent: whichever. */
  readonly revision?: string;
}

export interface MeshStatus {
  /** Of the control plane. */
  readonly version: string;
  readonly startedAt: string;
  readonly pid: number;
  readonly command: "up" | "serve";
  readonly root: string;
  readonly profile: "zero-trust" | "istio";
  readonly trustDomain: string;
  readonly authority: { readonly kind: "development" | "external"; readonly notAfter: string };
  readonly resources: number;
  readonly revision: string;
  readonly host: HostState;
}

/** What runs beside the mesh on this machine, as `kumiko up` reports it. */
export interface HostState {
  /** Programs outside of the mesh that kumiko.yaml names. */
  readonly programs: readonly ProgramStatus[];
  /** What is weaker on this system than it should be. */
  readonly weaker: readonly string[];
}

/** One workload and its proxy, as control plane, agent and runtime see them together. */
export interface ProxyStatus {
  readonly namespace: string;
  readonly name: string;
  /** `none`: a Pod outside the mesh. */
  readonly type: "sidecar" | "router" | "none";
  /** The proxy serves, and so does the Pod, where one is known. */
  readonly ready: boolean;
  /** It was told to end: not being ready is no fault. */
  readonly stopping: boolean;
  /** How often its application ended and was started again. */
  readonly restarts: number;
  /** Why it is not ready, or what is odd; empty where all is well. */
  readonly note: string;
  /** Envoy's, `1.40.0`; empty where it has not said. */
  readonly version: string;
  readonly config: ProxyConfigState;
  readonly identity: string;
  readonly certificate?: { readonly notBefore: string; readonly notAfter: string };
}

export type ProxyConfigState =
  | { readonly kind: "acknowledged"; readonly at: string }
  /** Sent, not answered yet. */
  | { readonly kind: "pending" }
  /** Served from the agent's last good copy: the control plane is away. */
  | { readonly kind: "stale" }
  /** Refused by Envoy, which keeps the version before. */
  | { readonly kind: "refused"; readonly type: string; readonly message: string }
  | { readonly kind: "disconnected" }
  /** There is no proxy to configure. */
  | { readonly kind: "none" };

/** What translation made for one proxy; `locate` answers for a generated node's origin in the current resources. */
export interface ProxyConfig {
  readonly type: "sidecar" | "router";
  /** Where it writes a line for a request or connection, and for which; absent: nowhere. */
  readonly accessLog?: AccessLogSettings;
  readonly snapshot: Snapshot;
  readonly locate: (origin: Origin) => SourcePosition | undefined;
}

/** One answer of an Envoy's admin interface, through its agent, secrets removed. */
export interface EnvoyAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The workload that a join token is for, and what it is where no resource says so. */
export interface JoinRequest {
  readonly namespace: string;
  readonly name: string;
  /** Absent: the declared workload's, else `default`. */
  readonly serviceAccount?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** At which other workloads reach it. */
  readonly address?: string;
  readonly isGateway: boolean;
  readonly ttlMs: number;
}

export interface JoinToken {
  readonly token: string;
  readonly expiresAt: string;
  /** The workload that the machine with it may be, and the account that it may ask certificates for. */
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
}

/** What no file declares any more, and stays in force until somebody says that it is meant to go. */
export interface HeldRemoval {
  /** The file that declared it. */
  readonly file: string;
  readonly reason: string;
  readonly resource: ResourceRef;
}

/**
 * All that the admin API stands on; `controlplane/` joins it to the edges. Methods answer from memory unless they return a promise.
 * A backend throws only for the machine's failures: what a caller did wrong is a result.
 */
export interface AdminBackend {
  /** All resources of a kind, in any order. */
  list(kind: string): readonly HeldResource[];
  get(ref: ResourceRef): HeldResource | undefined;
  /** The revision of the whole: changes with every change of a resource. */
  revision(): string;
  /** Checks a document (its `metadata.namespace` and `name` are set) and writes it. */
  put(document: Readonly<Record<string, unknown>>, conditions: WriteConditions): Promise<WriteResult>;
  delete(ref: ResourceRef, conditions: { readonly revision?: string }): Promise<DeleteResult>;
  status(): MeshStatus;
  /** Takes the place of what was reported before. */
  reportHost(state: HostState): void;
  diagnostics(): readonly Diagnostic[];
  proxies(): Promise<readonly ProxyStatus[]>;
  /** Undefined for a proxy that never connected. */
  configOf(proxy: { readonly namespace: string; readonly name: string }): ProxyConfig | undefined;
  /** Undefined where no agent of this machine has the proxy. */
  askEnvoy(proxy: { readonly namespace: string; readonly name: string }, path: string): Promise<EnvoyAnswer | undefined>;
  heldRemovals(): readonly HeldRemoval[];
  /** Lets go what is held back of these files, of all without them; returns what that was. */
  acceptRemovals(files: readonly string[] | undefined): Promise<readonly HeldRemoval[]>;
  /** A text says why there can be none. */
  issueJoinToken(request: JoinRequest): Promise<JoinToken | string>;
}
