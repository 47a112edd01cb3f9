import { grpcStatusOfHttp } from "../base/grpc-status.ts";
import type { Origin } from "../model/origin.ts";
import type { Proxy } from "../model/proxy.ts";
import type { EnvoyResource, ResourceType, Snapshot } from "../translate/envoy/resource.ts";
import type { Connection } from "./connection.ts";
import type { MeshView, NearMiss, Outcome, ResponseOutcome, Step, Target, WorkloadRef } from "./decision.ts";
import { Undecidable } from "./undecidable.ts";

/** What has happened to a request so far. Each change makes a new one: a request may go several ways from here. */
export interface Trail {
  readonly steps: readonly Step[];
  readonly via: readonly WorkloadRef[];
  readonly delayMs: number;
  /** When requests reached an application: what `delayMs` was. */
  readonly arrivedMs: readonly number[];
  readonly mirrors: ResponseOutcome["mirroredTo"];
  /** How many requests like this one are under way at a time. */
  readonly atOnce: number;
}

export const START: Trail = { steps: [], via: [], delayMs: 0, arrivedMs: [], mirrors: [], atOnce: 1 };

/** What has happened until a proxy gave up: what was still on its way has reached nobody. */
export function cutOff(trail: Trail, atMs: number): Trail {
  return { ...trail, delayMs: atMs, arrivedMs: trail.arrivedMs.filter((arrivedMs) => arrivedMs < atMs) };
}

/** The proxy in which something is decided. */
export interface Site {
  readonly workload: WorkloadRef;
  readonly proxy: Proxy;
  readonly snapshot: Snapshot;
  readonly identity: string;
  readonly view: MeshView;
  readonly nowMs: number;
  /** Opens a connection of the proxy's own; `peer`: for whom, where that is known by certificate. */
  readonly dial: (connection: Connection & { readonly peer?: string }, trail: Trail) => readonly Branch[];
}

export type Because = Outcome["because"];

/** How one way ends, without its trail. */
export type End =
  | {
      readonly kind: "response";
      readonly reply: Pick<ResponseOutcome, "status" | "grpcStatus" | "by" | "to" | "received" | "headers" | "generatedHeaders" | "body">;
      readonly because: Because;
    }
  /** `connect`: before anything of the request was sent; a caller's retry policy tells the two apart. */
  | { readonly kind: "closed"; readonly phase: "connect" | "later"; readonly because: Because; readonly error?: "protocol" }
  | { readonly kind: "refused"; readonly because: Because }
  | { readonly kind: "open"; readonly to: Target; readonly tls: boolean; readonly principal?: string; readonly because: Because }
  | { readonly kind: "undecided"; readonly at: string; readonly because: Because };

export interface Branch {
  readonly share: number;
  readonly trail: Trail;
  readonly end: End;
}

export function ends(trail: Trail, end: End): readonly Branch[] {
  return [{ share: 1, trail, end }];
}

/** One thing that may happen with a share of its own. */
export function weigh(share: number, branches: readonly Branch[]): readonly Branch[] {
  return share === 1 ? branches : branches.map((branch) => ({ ...branch, share: branch.share * share }));
}

/** What can't be decided below ends here as such, and leaves other ways untouched. */
export function guarded(trail: Trail, decide: () => readonly Branch[]): readonly Branch[] {
  try {
    return decide();
  } catch (thrown) {
    if (!(thrown instanceof Undecidable)) throw thrown;
    return ends(trail, { kind: "undecided", at: thrown.at, because: [] });
  }
}

export interface StepParts {
  readonly resource?: EnvoyResource | undefined;
  /** Within the resource. */
  readonly path?: string;
  readonly detail: string;
  readonly nearMisses?: readonly NearMiss[];
}

export function step(
  trail: Trail,
  site: Pick<Site, "workload">,
  what: string,
  { resource, path = "", detail, nearMisses }: StepParts,
): Trail {
  const made: Step = {
    what,
    proxy: `${site.workload.namespace}/${site.workload.name}`,
    ...(resource !== undefined && { resource: { type: resource.type, name: resource.name, path } }),
    origins: originsAt(resource, path),
    detail,
    ...(nearMisses !== undefined && nearMisses.length > 0 && { nearMisses }),
  };
  return { ...trail, steps: [...trail.steps, made] };
}

/** The origins of the nearest node at or above a path. */
export function originsAt(resource: EnvoyResource | undefined, path: string): readonly Origin[] {
  for (let at = path; resource !== undefined; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const found = resource.origins.get(at);
    if (found !== undefined) return found;
    if (at === "") break;
  }
  return [];
}

export function find(site: Site, type: ResourceType, name: string): EnvoyResource | undefined {
  return site.snapshot.get(type)?.get(name);
}

/** The answer that a proxy makes by itself; to a gRPC caller in gRPC's form. */
export function localReply(trail: Trail, { status, grpc, because, body = "", headers = [] }: LocalReply): readonly Branch[] {
  const reply = grpc
    ? { status: 200, grpcStatus: grpcStatusOfHttp(status), by: "proxy" as const, headers, body }
    : { status, by: "proxy" as const, headers, body };
  return ends(trail, { kind: "response", reply, because });
}

export interface LocalReply {
  readonly status: number;
  readonly grpc: boolean;
  readonly because: Because;
  readonly body?: string;
  readonly headers?: ResponseOutcome["headers"];
}
