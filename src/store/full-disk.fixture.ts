/**
 * Writes into a store until the disk refuses, then makes room and goes on: each line that is printed is one thing that happened. Its test gives
 * it a file system of a few hundred kilobytes, or a limit for the size of files.
 */
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MeshError } from "../model/error.ts";
import { openSqliteStore } from "./sqlite.ts";

const [file = "", mode = ""] = process.argv.slice(2);
const filler = join(dirname(file), "filler");
const say = (what: string, error: unknown) => {
  const { code, message, help } = error instanceof MeshError ? error : { code: "raw", message: String(error), help: undefined };
  process.stdout.write(`${JSON.stringify({ what, code, message, help })}\n`);
};

/** Takes all that is left. */
function fillDisk(): void {
  for (let size = 64 * 1024; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) writeFileSync(filler, "x".repeat(size), { flag: "a" });
    } catch {
      // Smaller parts may still fit.
    }
  }
}

if (mode === "start") {
  fillDisk();
  try {
    await openSqliteStore({ file }).close();
  } catch (error) {
    say("start", error);
  }
  rmSync(filler);
}
const store = openSqliteStore({ file });
const key = (i: number) => ({ kind: "Pod", namespace: "", name: `p${i}` });
let acknowledged = 0;
for (let refused = 0; refused < 3; ) {
  try {
    await store.put(key(acknowledged), "x".repeat(2000));
    acknowledged += 1;
  } catch (error) {
    refused += 1;
    say("write", error);
  }
}
const { entries } = await store.list();
process.stdout.write(`${JSON.stringify({ what: "kept", acknowledged, there: entries.length })}\n`);
await store.close();
const again = openSqliteStore({ file });
process.stdout.write(`${JSON.stringify({ what: "opened", there: (await again.list()).entries.length })}\n`);
await again.close();
