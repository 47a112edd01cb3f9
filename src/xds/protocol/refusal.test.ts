import { expect, test } from "vitest";
import type { Offered } from "./offer.ts";
import { findRefused } from "./refusal.ts";

const sent = (...names: string[]): Offered[] => names.map((name) => ({ name, version: "1", bytes: new Uint8Array(), references: [] }));

test.each([
  {
    title: "one of two listeners",
    message: "Error adding/updating listener(s) bad: no filter chains specified\n",
    names: ["good", "bad"],
    blamed: ["bad"],
  },
  {
    title: "two of three listeners, a line each",
    message: "Error adding/updating listener(s) a: no\nb: address in use\n",
    names: ["a", "b", "c"],
    blamed: ["a", "b"],
  },
  {
    title: "two of three clusters, with a comma between",
    message: "Error adding/updating cluster(s) outbound|80||a: x, outbound|80||b: y",
    names: ["outbound|80||a", "outbound|80||b", "c"],
    blamed: ["outbound|80||a", "outbound|80||b"],
  },
  {
    title: "not a name that is the end of a blamed one",
    message: "Error adding/updating listener(s) 10.0.0.1_80: no\n",
    names: ["1_80", "10.0.0.1_80"],
    blamed: ["10.0.0.1_80"],
  },
  { title: "not a name within the reason", message: "Error adding/updating listener(s) a: b: is odd\n", names: ["a", "b"], blamed: ["a"] },
  { title: "none of several where the text names none", message: "Invalid regex '(': missing )", names: ["80", "81"], blamed: [] },
  { title: "the only one, whatever the text says", message: "Invalid regex '(': missing )", names: ["80"], blamed: ["80"] },
  { title: "none where nothing was sent", message: "no", names: [], blamed: [] },
])("blames $title", ({ message, names, blamed }) => {
  expect(findRefused(message, sent(...names)).map(({ name }) => name)).toEqual(blamed);
});
