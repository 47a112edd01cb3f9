import type { JsonPath } from "../../model/position.ts";
import { isRecord } from "../../schema/shape.ts";

/** The node at a path; undefined where there is none. */
export function nodeAt(value: unknown, path: JsonPath): unknown {
  let node = value;
  for (const step of path) node = childOf(node, step);
  return node;
}

/** A copy with another node at a path; what lies beside it is shared. */
export function withNode(value: unknown, [step, ...rest]: JsonPath, node: unknown): unknown {
  if (step === undefined) return node;
  const child = withNode(childOf(value, step), rest, node);
  if (Array.isArray(value)) return value.with(Number(step), child);
  return { ...(value as object), [step]: child };
}

/**
 * A copy without the node at a path. What holds nothing any more goes too, but for the path's first `kept` nodes: a rule whose only condition is
 * dropped has none, in place of one that nothing can meet.
 */
export function withoutNode(value: unknown, [step, ...rest]: JsonPath, kept: number): unknown {
  if (step === undefined) return undefined;
  if (rest.length === 0) return withoutChild(value, step);
  const child = withoutNode(childOf(value, step), rest, kept - 1);
  return kept <= 0 && isEmpty(child) ? withoutChild(value, step) : withNode(value, [step], child);
}

function childOf(node: unknown, step: string | number): unknown {
  if (Array.isArray(node)) return typeof step === "number" ? (node as readonly unknown[])[step] : undefined;
  return isRecord(node) && Object.hasOwn(node, step) ? node[step] : undefined;
}

function withoutChild(value: unknown, step: string | number): unknown {
  if (Array.isArray(value)) return value.toSpliced(Number(step), 1);
  return Object.fromEntries(Object.entries(value as object).filter(([key]) => key !== step));
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
