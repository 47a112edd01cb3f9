import { beforeEach, expect, test } from "vitest";
import { type Diagnostic, diagnostic } from "../model/diagnostic.ts";
import { FaultTeller } from "./fault-teller.ts";

let told: string[];
let teller: FaultTeller;

beforeEach(() => {
  told = [];
  teller = new FaultTeller({ appeared: (line) => told.push(`+ ${line}`), mended: (line) => told.push(`- ${line}`) });
});

const fault = (line: number, message = "no such field"): Diagnostic =>
  diagnostic("KMK1001", { message, help: "remove it", position: { file: "a.yaml", line, column: 1 } });

test("a fault is one line when it appears, and one when it is gone", () => {
  teller.see([fault(3)]);
  teller.see([fault(3)]);
  teller.see([]);
  teller.see([]);
  expect(told).toEqual(["+ a.yaml:3: error KMK1001: no such field (remove it)", "- a.yaml:3: error KMK1001: no such field"]);
});

test("a fault that moves to another line is the same", () => {
  teller.see([fault(3)]);
  teller.see([fault(9)]);
  expect(told).toHaveLength(1);
  teller.see([]);
  expect(told.at(-1)).toMatch(/^- a\.yaml:9/);
});

test("one that comes back is told again, and of several only what changed", () => {
  teller.see([fault(1, "one"), fault(2, "two")]);
  teller.see([fault(2, "two")]);
  teller.see([fault(1, "one"), fault(2, "two")]);
  expect(told.map((line) => line.replace(/a\.yaml.*1001: /, "").replace(" (remove it)", ""))).toEqual(["+ one", "+ two", "- one", "+ one"]);
});
