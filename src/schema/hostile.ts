import type { JsonPath } from "../model/position.ts";
import type { Report } from "./report.ts";

export const DEEPEST_DOCUMENT = 64;
const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype"]);

interface Visit {
  readonly value: unknown;
  readonly path: Chain | undefined;
  readonly depth: number;
}
interface Chain {
  readonly step: string | number;
  readonly parent: Chain | undefined;
}

/** Reports what no document may hold, whatever its kind: depth beyond 64 and keys that name JavaScript's own machinery. Without recursion. */
export function checkHostile(value: unknown, report: Report): void {
  const open: Visit[] = [{ value, path: undefined, depth: 0 }];
  for (let visit = open.pop(); visit !== undefined; visit = open.pop()) {
    const { value: node, path, depth } = visit;
    if (typeof node !== "object" || node === null) continue;
    if (depth > DEEPEST_DOCUMENT)
      return report({
        code: "KMK0003",
        path: toPath(path),
        message: `the document is more than ${DEEPEST_DOCUMENT} levels deep`,
        help: "flatten it",
      });
    const children: [string | number, unknown][] = Array.isArray(node) ? [...node.entries()] : Object.entries(node);
    for (const [step, child] of children) {
      const chain = { step, parent: path };
      if (typeof step === "string" && FORBIDDEN_KEYS.has(step))
        report({ code: "KMK0003", path: toPath(chain), message: `key ${step} is not allowed`, help: "rename it" });
      open.push({ value: child, path: chain, depth: depth + 1 });
    }
  }
}

function toPath(chain: Chain | undefined): JsonPath {
  const steps: (string | number)[] = [];
  for (let link = chain; link !== undefined; link = link.parent) steps.push(link.step);
  return steps.toReversed();
}
