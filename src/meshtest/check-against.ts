import type { JsonPath } from "../model/position.ts";
import type { Finding } from "../schema/report.ts";
import { checkShape, isRecord } from "../schema/shape.ts";
import { meshTestSchema } from "./document-schema.ts";
import type { Complain } from "./raw.ts";

/** Compares a value with a part of the schema; what is unknown is wrong here, because a test must not say more than is checked. */
export function checkAgainst(root: "MeshTest" | "Token" | "Matcher" | "Resources", value: unknown, at: JsonPath, complain: Complain): void {
  const report = ({ path, message, help }: Finding) => complain([...at, ...path], message.replace(": it has no effect", ""), help);
  checkShape(value, meshTestSchema.kinds[root] ?? -1, { schema: meshTestSchema, report });
}

/** Fields in which `null` says something: that there is none. */
const NULL_MEANS_NONE = ["mirroredTo", "via"];

/** Leaves out what is null, which the schema reads as absent; header values keep theirs. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field, item]) => item !== null || NULL_MEANS_NONE.includes(field))
      .map(([field, item]) => [field, field === "headers" || field === "claims" ? item : withoutNulls(item)]),
  );
}
