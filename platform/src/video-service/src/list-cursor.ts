import { cursorOf } from "@platform/service-kit";
import * as z from "zod";
import type { ListPlace } from "./videos.ts";

const cursor = cursorOf(z.tuple([z.iso.datetime(), z.uuid()]));

/** Where a page of videos begins, as the text that clients send back. */
export const listCursor = {
  /** @throws Problem 400 where the text is none of ours. */
  read(after: string | undefined): ListPlace | undefined {
    if (after === undefined) return undefined;
    const [createdAt, id] = cursor.read(after);
    return { createdAt, id };
  },
  write: ({ createdAt, id }: ListPlace): string => cursor.write([createdAt, id]),
};
