import { resolve } from "node:path";
import { stopRun } from "../controlplane/lifecycle.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { findMesh } from "./find-mesh.ts";

/** Draining takes its time; what has not ended by then is ended. */
const GRACE_MS = 30_000;

export const down = defineCommand({
  name: "down",
  summary: "Stop the mesh of a folder, also from another terminal or after a crash",
  arguments: [{ name: "dir", help: "the folder that kumiko up was given (the current one)", optional: true }],
  examples: ["kumiko down", "kumiko down platform"],
  async run({ args, options, io }) {
    const folder = resolve(io.cwd, args[0] ?? options.dir ?? ".");
    const found = findMesh(folder);
    const stopped = found !== undefined && (await stopRun(found.record, { graceMs: GRACE_MS }));
    io.stdout.write(stopped ? `stopped the mesh of ${found.record.root}\n` : `no mesh runs in ${folder}\n`);
    return EXIT.done;
  },
});
