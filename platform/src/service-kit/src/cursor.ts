import * as z from "zod";
import { Problem } from "./problem.ts";

/** Writes and reads the place at which the next page of a list begins. */
export interface CursorFormat<Place> {
  write(place: Place): string;
  /** @throws Problem 400 for what `write` did not write. */
  read(text: string): Place;
}

/** A cursor is opaque to clients: Base64url of JSON that must fit `shape`. It is no secret, and trusted no more than any other parameter. */
export function cursorOf<Place>(shape: z.ZodType<Place>): CursorFormat<Place> {
  return {
    write: (place) => Buffer.from(JSON.stringify(place)).toString("base64url"),
    read(text) {
      try {
        return shape.parse(JSON.parse(Buffer.from(text, "base64url").toString("utf8")));
      } catch (cause) {
        throw new Problem(400, "The request does not fit the API", {
          errors: [{ in: "querystring", pointer: "/after", detail: "is not the next of a page" }],
          cause,
        });
      }
    },
  };
}

/** One page of what was asked for with one more than `limit`: the items, and the cursor of the next page where there is one. */
export function pageOf<Item>(
  items: readonly Item[],
  limit: number,
  cursorAt: (last: Item) => string,
): { readonly items: readonly Item[]; readonly next: string | null } {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  return { items: page, next: items.length > limit && last !== undefined ? cursorAt(last) : null };
}
