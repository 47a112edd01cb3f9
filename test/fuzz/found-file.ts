import type { Decision } from "../../src/evaluate/index.ts";
import { answererOf } from "../../src/meshtest/judge.ts";
import { type FuzzCase, toYaml } from "./document.ts";

/** A MeshTest that expects of a case's only call what real proxies did with it. */
export function toFoundFile(found: FuzzCase, name: string, real: Decision | undefined): string {
  return toYaml(found, name, [expectationOf(real)]);
}

function expectationOf(real: Decision | undefined): object {
  const outcome = real?.outcomes[0]?.outcome;
  if (outcome === undefined) return { body: "" };
  const answerer = answererOf(outcome);
  const to = answerer === undefined ? {} : { to: answerer };
  if (outcome.kind !== "response") return { connection: outcome.kind, ...to };
  const { status, grpcStatus, received, attempts } = outcome;
  return {
    status,
    ...(grpcStatus !== undefined && { grpcStatus }),
    ...to,
    attempts,
    ...(received !== undefined && { received: { path: received.path, method: received.method, authority: received.authority } }),
  };
}
