import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { formatPosition } from "../model/position.ts";
import { formatRef, refOf, type Resource } from "../model/resource.ts";

export interface Declared {
  readonly resources: readonly Resource[];
  readonly diagnostics: readonly Diagnostic[];
}

/** One resource for each name: of several the first, and a word (KMK0005) with both places about each of the others. */
export function mergeDeclared(parts: Iterable<Declared>): Declared {
  const byRef = new Map<string, Resource>();
  const diagnostics: Diagnostic[] = [];
  for (const part of parts) {
    diagnostics.push(...part.diagnostics);
    for (const resource of part.resources) {
      const key = formatRef(refOf(resource));
      const first = byRef.get(key);
      if (first === undefined) byRef.set(key, resource);
      else diagnostics.push(declaredTwice(key, first, resource));
    }
  }
  return { resources: [...byRef.values()], diagnostics };
}

function declaredTwice(key: string, first: Resource, second: Resource): Diagnostic {
  const [used, unused] = [formatPosition(first.locate(["metadata", "name"])), second.locate(["metadata", "name"])];
  return diagnostic("KMK0005", {
    message: `${key} is declared twice: ${used} is used, ${formatPosition(unused)} is not`,
    help: "remove one of them",
    resource: refOf(second),
    position: unused,
    related: [{ message: `declared first at ${used}`, resource: refOf(first) }],
  });
}
