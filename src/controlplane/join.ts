import type { JoinRequest } from "../admin/index.ts";
import type { Registration } from "../ca/index.ts";
import { INJECTION_TEMPLATES } from "../mesh/index.ts";
import { formatDiagnostic } from "../model/diagnostic.ts";
import { formatPosition } from "../model/position.ts";
import { checkDocument } from "../schema/index.ts";
import { findHeld, type World } from "./world.ts";

/** What a join token must stand for: an account, and what becomes of the workload's description when the token is used. */
export interface JoinPlan {
  readonly serviceAccount: string;
  readonly registers?: Registration;
}

/**
 * Binds a join token to one workload. Of a workload that is declared nothing may be said that its resource doesn't say; one that isn't is
 * described by the request, as a WorkloadEntry. A text says why that can't be.
 */
export function planJoin(world: World, request: JoinRequest, nowMs: number): JoinPlan | string {
  const { namespace, name, serviceAccount } = request;
  const declared = world.mesh.workloads.named(namespace, name);
  if (declared === undefined) return describe(request, nowMs);
  const place = findHeld(world, declared.origin.ref)?.resource.locate([]);
  const what = `${declared.kind} ${namespace}/${name} (${place === undefined ? "declared" : formatPosition(place)})`;
  if (serviceAccount !== undefined && serviceAccount !== declared.serviceAccount) {
    return `${what} runs as service account ${declared.serviceAccount}, not as ${serviceAccount}`;
  }
  if (Object.keys(request.labels).length > 0 || request.address !== undefined || request.isGateway) {
    return `${what} says what its labels, address and type are: leave out --label, --address and --router, or change it there`;
  }
  return { serviceAccount: declared.serviceAccount };
}

function describe(request: JoinRequest, nowMs: number): JoinPlan | string {
  const { namespace, name, labels, address, isGateway, serviceAccount = "default" } = request;
  if (address === undefined) {
    return `no Pod or WorkloadEntry ${namespace}/${name} is declared: say at which address it is reached (--address IP), or declare it first`;
  }
  const value = {
    apiVersion: "networking.istio.io/v1",
    kind: "WorkloadEntry",
    metadata: {
      name,
      namespace,
      ...(isGateway && { annotations: { [INJECTION_TEMPLATES]: "gateway" } }),
      creationTimestamp: new Date(nowMs).toISOString(),
    },
    spec: { address, serviceAccount, labels },
  };
  const { resource, diagnostics } = checkDocument({ value, locate: () => ({ file: "request", line: 1, column: 1 }) });
  if (resource === undefined) return diagnostics.map(formatDiagnostic).join("; ");
  return { serviceAccount, registers: { key: { kind: value.kind, namespace, name }, value } };
}
