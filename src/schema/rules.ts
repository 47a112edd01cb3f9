import type { HonouredTree } from "./honoured.ts";
import type { Finding, Report } from "./report.ts";

export type Body = Readonly<Record<string, unknown>>;

/** What is particular to one kind; its shape is in the generated schemas. */
export interface KindRules {
  readonly honoured: HonouredTree;
  /** Rules that need more than one field, called where the shape is right. Rules across resources live in analyze/. */
  readonly check?: (body: never, report: Report) => void;
  /** An unknown field directly under `spec` is an error: to go on without it could open what it was to close. */
  readonly strictSpec?: true;
  /** The body without what would widen it because a part of it is not understood. Called with the findings so far. */
  readonly narrow?: (body: never, findings: readonly Finding[], report: Report) => Body;
  /**
   * What stands in for a wrong document that has no last good version, where going without would be less safe. `isShaped`: every field is of its
   * type, and only what they say together is wrong.
   */
  readonly fallback?: (body: Body, isShaped: boolean) => Body | undefined;
  /**
   * What counts of several different documents that claim one name, where none of them can be preferred: nothing that one of them refuses is
   * allowed by what is returned. Each body keeps its own selector.
   */
  readonly strictest?: (bodies: readonly never[]) => readonly Body[];
}
