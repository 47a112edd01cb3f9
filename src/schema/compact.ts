/**
 * The run-time form of the schemas that `npm run gen` writes to `src/gen/schema/`: a list of nodes that name each other by index, so that a
 * shape that occurs often (a label selector, a Pod's template) stands there once.
 */
export interface CompactSchema {
  readonly nodes: readonly CompactNode[];
  /** Each kind's node: its document without `apiVersion`, `kind` and `metadata`. */
  readonly kinds: Readonly<Record<string, number>>;
}

export type CompactNode =
  | {
      readonly is: "object";
      readonly fields: Readonly<Record<string, number>>;
      readonly required?: readonly string[];
      /** Of each group at most one field may be set. */
      readonly oneOf?: readonly (readonly string[])[];
    }
  | { readonly is: "map"; readonly values: number }
  | { readonly is: "list"; readonly items: number; readonly minItems?: number; readonly maxItems?: number }
  | {
      readonly is: "string";
      readonly enum?: readonly string[];
      readonly pattern?: string;
      readonly minLength?: number;
      readonly maxLength?: number;
      readonly format?: "duration" | "regex";
    }
  | { readonly is: "number" | "integer"; readonly minimum?: number; readonly maximum?: number }
  | { readonly is: "boolean" | "integer-or-string" | "quantity" | "any" };
