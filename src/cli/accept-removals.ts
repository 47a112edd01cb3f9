import { resolve } from "node:path";
import { printable } from "../base/printable.ts";
import type { HeldRemoval } from "../admin/backend.ts";
import { MeshError } from "../model/error.ts";
import { formatDeclared } from "../model/resource.ts";
import { type Client, connectClient } from "./client.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { DATA_OPTION, isData, writeData } from "./output.ts";
import { renderPlace } from "./render.ts";

interface Listed {
  readonly items: readonly HeldRemoval[];
}

export const acceptRemovals = defineCommand({
  name: "accept-removals",
  summary: "Let go what vanished from the files and was held back (KMK0004)",
  arguments: [{ name: "file", help: "only what these files or folders declared (all)", optional: true, variadic: true }],
  options: {
    dryRun: { type: "boolean", help: "only list what would go" },
    output: DATA_OPTION,
  },
  examples: ["kumiko accept-removals --dry-run", "kumiko accept-removals", "kumiko accept-removals manifests/policies.yaml"],
  async run({ args, options, io }) {
    const client = connectClient(options, io);
    const items = await release(client, await findFiles(client, args, io.cwd), options.dryRun);
    if (isData(options.output)) await writeData(io, options.output, { items });
    else writeText(items, options.dryRun, io);
    return EXIT.done;
  },
});

/** The files that hold something, of those and the folders that are named; undefined where none is. */
async function findFiles(client: Client, args: readonly string[], cwd: string): Promise<readonly string[] | undefined> {
  if (args.length === 0) return undefined;
  const { items } = await client.get<Listed>("/kumiko/v1/held-removals");
  return args.flatMap((arg) => {
    const path = resolve(cwd, arg);
    const held = items.map(({ file }) => file);
    const meant = held.filter((file) => file === path || file.startsWith(`${path}/`));
    // Names are typed as they are shown.
    const files = meant.length > 0 ? meant : held.filter((file) => printable(file) === path);
    if (files.length === 0)
      throw new MeshError("not-found", `nothing of ${arg} is held back`, { help: "kumiko accept-removals --dry-run" });
    return files;
  });
}

async function release(client: Client, files: readonly string[] | undefined, dryRun: boolean): Promise<readonly HeldRemoval[]> {
  if (!dryRun) return (await client.post<Listed>("/kumiko/v1/accepted-removals", files === undefined ? {} : { files })).items;
  const { items } = await client.get<Listed>("/kumiko/v1/held-removals");
  return items.filter(({ file }) => files?.includes(file) !== false);
}

function writeText(items: readonly HeldRemoval[], dryRun: boolean, io: Io): void {
  for (const { resource, file } of items)
    io.stdout.write(
      printable(`${formatDeclared(resource)} ${dryRun ? "would go" : "released"} (it was in ${renderPlace(file, io.cwd)})`) + "\n",
    );
  if (items.length === 0) io.stdout.write("nothing is held back\n");
}
