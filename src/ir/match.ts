/** One text compared; `regex` is RE2 and matches the whole text (Envoy's safe_regex). */
export type StringMatch =
  | { readonly kind: "exact"; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: "prefix"; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: "suffix"; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: "contains"; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: "regex"; readonly value: string };

/** `present` alone asks that the header exists. Several values of one header are joined by commas before they are compared. */
export interface HeaderMatch {
  readonly name: string;
  readonly value: StringMatch | { readonly kind: "present" };
  readonly invert?: boolean;
}

/** The text itself as an RE2 pattern, whatever characters it has. */
export function escapeRegex(literal: string): string {
  return literal.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
