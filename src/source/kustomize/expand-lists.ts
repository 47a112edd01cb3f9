import { findPlace } from "../place.ts";
import type { Plain } from "../plain.ts";
import { isFields, textOf } from "./values.ts";

/** The items of a list one by one, each at its place. */
export function expandLists({ value, place }: Plain): readonly Plain[] {
  const list = isFields(value) && textOf(value["kind"]).endsWith("List") ? value["items"] : undefined;
  return Array.isArray(list)
    ? list.map((item: unknown, i) => ({ value: item, place: findPlace(place, ["items", i]) }))
    : [{ value, place }];
}
