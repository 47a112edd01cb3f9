/** A YAML map as data, without prototype. */
export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy that can be changed; maps are without prototype, so that no key is special. */
export function copy<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => copy(item)) as T;
  return isFields(value) ? (toFields(Object.entries(value).map(([key, field]) => [key, copy(field)])) as T) : value;
}

export function toFields(entries: Iterable<readonly [string, unknown]>): Fields {
  const fields = Object.create(null) as Fields;
  for (const [key, value] of entries) fields[key] = value;
  return fields;
}

/** The map of a field, made where it is missing. */
export function fieldsOf(holder: Fields, key: string): Fields {
  const found = holder[key];
  if (isFields(found)) return found;
  return (holder[key] = toFields([]));
}

/** To be told the size of what is added, in characters: small inputs may stand for a lot. @throws TooLarge where it is too much. */
export type Charge = (size: number) => void;

export class TooLarge extends Error {}

export function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length + 1;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + sizeOf(item), 1);
  return isFields(value) ? Object.entries(value).reduce((sum, [key, field]) => sum + key.length + sizeOf(field), 1) : 1;
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Texts of a map, as labels and annotations are; other values as their text. */
export function textsOf(value: unknown): readonly (readonly [string, string])[] {
  return isFields(value) ? Object.entries(value).map(([key, text]) => [key, typeof text === "string" ? text : JSON.stringify(text)]) : [];
}

/**
 * Calls `change` with the holder of each node that a path leads to; lists on the way count item by item.
 * @param isCreated makes what is missing on the way, a holder that lacks the last field included
 */
export function visit(node: unknown, path: readonly string[], change: (holder: Fields, key: string) => void, isCreated = false): void {
  if (Array.isArray(node)) {
    for (const item of node) visit(item, path, change, isCreated);
    return;
  }
  const [key, ...rest] = path;
  if (!isFields(node) || key === undefined) return;
  if (rest.length === 0) {
    if (isCreated || key in node) change(node, key);
    return;
  }
  if (isCreated && (node[key] === undefined || node[key] === null)) node[key] = toFields([]);
  visit(node[key], rest, change, isCreated);
}
