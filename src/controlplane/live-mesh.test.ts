import { expect, test } from "vitest";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { LiveMesh } from "./live-mesh.ts";

test("says each problem once, and of the notes how many there are and how to see them", () => {
  const said: string[] = [];
  const live = new LiveMesh({ say: (line) => said.push(line), onChange() {} });
  const note = (message: string): Diagnostic => ({ ...diagnostic("KMK1004", { message }), severity: "info" });
  const problem = diagnostic("KMK1002", { message: "unknown field spec.x" });
  live.set("folder", { held: [], diagnostics: [note("a"), problem, note("b")] });
  live.set("folder", { held: [], diagnostics: [note("a"), problem, note("b")] });
  expect(said).toEqual([
    "warning KMK1002: unknown field spec.x",
    "2 notes on what has no effect here (2 of them on skipped documents): kumiko status -o wide",
  ]);
});
