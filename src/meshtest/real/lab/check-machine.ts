import { MeshError } from "../../../model/error.ts";
import type { SystemCheck } from "../../../runtime/system-check.ts";

/** @throws MeshError where a lab can't be had with this system, with what to do */
export function checkMachine({ mode, missing, reason }: SystemCheck): void {
  const [first, ...others] = missing;
  if (first !== undefined) {
    const also = others.length === 0 ? "" : ` (and ${others.map(({ program }) => program).join(", ")})`;
    throw new MeshError("missing-program", `program ${first.program} is missing${also}`, { help: first.command });
  }
  if (mode === "namespaces") return;
  throw new MeshError(
    "refused",
    `real Envoys need network namespaces, which this system doesn't give: ${reason ?? "it says nothing more"}`,
    {
      help: "leave --real and --both out: the evaluator needs none",
    },
  );
}
