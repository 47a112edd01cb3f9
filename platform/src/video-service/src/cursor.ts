import { Problem } from "@platform/service-kit";
import * as z from "zod";

/** A place in the list of videos: after this one comes the next page. */
export interface Cursor {
  readonly createdAt: string;
  readonly id: string;
}

const Written = z.tuple([z.iso.datetime(), z.uuid()]);

export function writeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify([cursor.createdAt, cursor.id])).toString("base64url");
}

/** @throws Problem 400 for what `writeCursor` did not write. */
export function readCursor(text: string): Cursor {
  try {
    const [createdAt, id] = Written.parse(JSON.parse(Buffer.from(text, "base64url").toString("utf8")));
    return { createdAt, id };
  } catch (cause) {
    throw new Problem(400, "The request does not fit the API", {
      errors: [{ in: "querystring", pointer: "/after", detail: "is not the next of a page" }],
      cause,
    });
  }
}
