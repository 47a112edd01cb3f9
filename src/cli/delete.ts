import { MeshError } from "../model/error.ts";
import { apiPath, preferredVersion } from "./api-path.ts";
import { FILE_OPTIONS, labelOf } from "./apply.ts";
import { connectClient } from "./client.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { Manifest } from "./manifest-files.ts";
import { readResourceArgs } from "./resource-args.ts";

type Named = Pick<Manifest, "kind" | "version" | "name" | "namespace">;

export const deleteCommand = defineCommand({
  name: "delete",
  summary: "Delete applied resources; those of the folder are deleted there",
  arguments: [{ name: "resource", help: "TYPE NAME... or TYPE/NAME...", names: "resource", optional: true, variadic: true }],
  options: { ...FILE_OPTIONS, ignoreNotFound: { type: "boolean", help: "what isn't there is no failure" } },
  examples: ["kumiko delete vs reviews -n shop", "kumiko delete -f canary.yaml"],
  async run({ args, options, io }) {
    if ((args.length === 0) === (options.filename.length === 0))
      throw new MeshError("usage", "name what to delete, or a file", { help: "kumiko delete TYPE NAME, or kumiko delete -f FILE" });
    const wanted =
      args.length > 0 ? named(args) : await (await import("./manifest-files.ts")).readManifests(options.filename, options.recursive, io);
    const client = connectClient(options, io);
    for (const one of wanted) {
      try {
        await client.delete(apiPath(one.kind, one.version, one.namespace ?? options.namespace ?? "default", one.name));
        io.stdout.write(`${labelOf(one)} deleted\n`);
      } catch (error) {
        if (!(options.ignoreNotFound && error instanceof MeshError && error.code === "not-found")) throw error;
      }
    }
    return EXIT.done;
  },
});

function named(args: readonly string[]): readonly Named[] {
  return readResourceArgs(args).flatMap(({ kind, names }) => {
    if (names.length === 0)
      throw new MeshError("usage", `which of the ${kind.plural}? none is named`, { help: `kumiko delete ${kind.singular} NAME` });
    return names.map((name) => ({ kind, version: preferredVersion(kind), name, namespace: undefined }));
  });
}
