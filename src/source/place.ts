import type { JsonPath } from "../model/position.ts";

/** Where a node stands in its text: a map's entry at its key. A tree of the same form as the value, without the values. */
export interface Place {
  readonly offset: number;
  /** Where a map's entry has its value. */
  readonly valueOffset?: number;
  readonly fields?: Readonly<Record<string, Place>>;
  readonly items?: readonly Place[];
}

/** The place of a path's node, or of its nearest parent that has one. */
export function findPlace(root: Place, path: JsonPath): Place {
  let place = root;
  for (const step of path) {
    const fields = place.fields;
    const next =
      typeof step === "number" ? place.items?.[step] : fields !== undefined && Object.hasOwn(fields, step) ? fields[step] : undefined;
    if (next === undefined) return place;
    place = next;
  }
  return place;
}
