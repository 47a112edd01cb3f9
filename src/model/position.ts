/** Keys and indexes from the document's root: `["spec", "http", 0, "match"]`. */
export type JsonPath = readonly (string | number)[];

/** Where a person must look. `line` and `column` start at 1, as editors show them. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `file:line`, the form that terminals and editors make a link of. */
export function formatPosition(position: SourcePosition): string {
  return `${position.file}:${position.line}`;
}

/** `spec.http[0].match`, as kubectl and Istio write a field's path. */
export function formatPath(path: JsonPath): string {
  return path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`)).join("");
}
