import { expect, test } from "vitest";
import { beyondBytes } from "./retention.ts";

const of = (atMs: number, bytes: number) => ({ atMs, bytes });

test.each([
  { what: "nothing while all fits", all: [of(1, 5), of(2, 5)], beyond: [] },
  { what: "the oldest goes first, whatever the order", all: [of(1, 5), of(3, 5), of(2, 5)], beyond: [of(1, 5)] },
  { what: "one that is too large goes although it is the newest", all: [of(1, 5), of(2, 11)], beyond: [of(2, 11), of(1, 5)] },
])("$what", ({ all, beyond }) => {
  expect(beyondBytes(all, 10)).toEqual(beyond);
});
