import type { Decision, Outcome } from "../evaluate/index.ts";
import { MeshError } from "../model/error.ts";
import type { Call } from "./document.ts";
import type { PreparedTest } from "./engine.ts";
import type { TestIssuers } from "./issuers.ts";
import { type Beginning, toRequests } from "./to-request.ts";

export interface BeginInputs {
  readonly issuers: TestIssuers;
  readonly nowMs: number;
}

/** How a call begins: with requests, or with the decision that none ever leaves the client. */
export function begin(
  call: Call,
  { mesh, names }: Pick<PreparedTest, "mesh" | "names">,
  inputs: BeginInputs,
): { readonly beginnings: readonly Beginning[] } | { readonly decision: Decision } {
  const ref = names.find(call.from.workload);
  const workload = ref && mesh.workload(ref);
  if (workload === undefined) throw new MeshError("bug", `workload ${call.from.workload} was not checked`);
  const beginnings = toRequests(call, workload, { mesh, ...inputs });
  if (typeof beginnings !== "string") return { beginnings };
  return { decision: { outcomes: [{ share: 1, outcome: neverSent(beginnings, `${workload.namespace}/${workload.name}`) }] } };
}

function neverSent(why: string, proxy: string): Outcome {
  return { kind: "refused", steps: [{ what: "name", proxy, origins: [], detail: why }], because: [], via: [], delayMs: 0 };
}
