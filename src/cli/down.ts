import { rmSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { placesOf } from "../controlplane/config.ts";
import { endLeftovers } from "../controlplane/leftovers.ts";
import { stopRun } from "../controlplane/lifecycle.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { type FoundMesh, findMesh } from "./find-mesh.ts";
import type { Io } from "./io.ts";

/** Applications have their grace periods, and `kumiko up` says what it waits for; one that has not ended by then is ended. */
const GRACE_MS = 120_000;

export const down = defineCommand({
  name: "down",
  summary: "Stop the mesh of a folder, also from another terminal or after a crash",
  arguments: [{ name: "dir", help: "the folder that kumiko up was given (the current one)", optional: true }],
  examples: ["kumiko down", "kumiko down platform"],
  async run({ args, options, io }) {
    const folder = resolve(io.cwd, args[0] ?? options.dir ?? ".");
    const found = findMesh(folder);
    if (found === undefined) {
      io.stdout.write(`no mesh runs in ${folder}\n`);
      return EXIT.done;
    }
    const { root } = found.record;
    const stopped = await stopRun(found.record, { graceMs: GRACE_MS });
    await removeLeftovers(found, io);
    io.stdout.write(stopped ? `stopped the mesh of ${root}\n` : `the mesh of ${root} had been killed; what it left is cleared away\n`);
    return EXIT.done;
  },
});

/** What a mesh that was killed could not end and remove itself: processes, its sockets, its record. State and logs stay. */
async function removeLeftovers({ record, state }: FoundMesh, io: Io): Promise<void> {
  const { runFile, run: expected } = placesOf(record.root, io.environment, state);
  // Its XDG_RUNTIME_DIR may have been another one; whatever else a record names is left alone.
  const run = dirname(record.adminSocket);
  const isRunFolder = basename(run) === basename(expected) && basename(dirname(run)) === basename(dirname(expected));
  if (isRunFolder) {
    await endLeftovers({ run, state });
    rmSync(run, { recursive: true, force: true });
  }
  rmSync(runFile, { force: true });
}
