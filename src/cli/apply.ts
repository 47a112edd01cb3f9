import { printable } from "../base/printable.ts";
import { MeshError } from "../model/error.ts";
import { apiPath } from "./api-path.ts";
import { type Client, connectClient } from "./client.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { ApiResource } from "./kind-columns.ts";
import type { Manifest } from "./manifest-files.ts";
import { painter, renderError } from "./render.ts";

export const FILE_OPTIONS = {
  filename: { type: "strings", short: "f", value: "FILE", help: "a file, a folder, or - for standard input; more than once for several" },
  recursive: { type: "boolean", short: "R", help: "the folders within a folder too" },
} as const;

export const apply = defineCommand({
  name: "apply",
  summary: "Write resources into the mesh's store, beside those of the folder",
  options: FILE_OPTIONS,
  examples: ["kumiko apply -f canary.yaml", "generate-policy | kumiko apply -f -"],
  async run({ options, io }) {
    if (options.filename.length === 0) throw new MeshError("usage", "nothing to apply", { help: "kumiko apply -f FILE" });
    const { readManifests } = await import("./manifest-files.ts");
    const manifests = await readManifests(options.filename, options.recursive, io);
    const client = connectClient(options, io);
    let refused = 0;
    for (const manifest of manifests) {
      const label = labelOf(manifest);
      try {
        io.stdout.write(`${label} ${await write(client, manifest, manifest.namespace ?? options.namespace ?? "default")}\n`);
      } catch (thrown) {
        // One that is refused is no reason not to write the others; a mesh that is gone is.
        if (!(thrown instanceof MeshError) || thrown.code === "network") throw thrown;
        refused += 1;
        const error = new MeshError(
          thrown.code,
          `${manifest.where}: ${thrown.message}`,
          thrown.help === undefined ? {} : { help: thrown.help },
        );
        io.stderr.write(renderError(error, painter(io.stderr, io.environment), io.environment.program));
      }
    }
    if (manifests.length === 0)
      throw new MeshError("usage", "no resource in what -f names", { help: "check that its files end in .yaml, .yml or .json" });
    return refused === 0 ? EXIT.done : EXIT.refused;
  },
});

export function labelOf({ kind, name }: Pick<Manifest, "kind" | "name">): string {
  return printable(`${kind.singular}${kind.group === "" ? "" : `.${kind.group}`}/${name}`);
}

async function write(
  client: Client,
  { kind, version, name, document }: Manifest,
  namespace: string,
): Promise<"created" | "configured" | "unchanged"> {
  const path = apiPath(kind, version, namespace, name);
  const before = await client.get<ApiResource>(path).catch((error: unknown) => {
    if (error instanceof MeshError && error.code === "not-found") return undefined;
    throw error;
  });
  const after = await client.put<ApiResource>(path, document);
  if (before === undefined) return "created";
  return before.metadata["resourceVersion"] === after.metadata["resourceVersion"] ? "unchanged" : "configured";
}
