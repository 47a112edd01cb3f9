import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MeshError } from "../model/error.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { ancestorsOf, findMesh, foldersIn, howToStart, onlyOf } from "./find-mesh.ts";
import { findProxy } from "./find-proxy.ts";
import { followFile, tailOf } from "./tail.ts";

export const logs = defineCommand({
  name: "logs",
  summary: "Print what a workload wrote",
  arguments: [{ name: "workload", help: "a Pod, what made it (users, users.shop), or outside/NAME, agent", names: "workload" }],
  options: {
    follow: { type: "boolean", short: "f", help: "go on as more is written, until Ctrl-C" },
    tail: { type: "number", value: "LINES", help: "only the last lines" },
  },
  examples: ["kumiko logs users -n shop --tail 20", "kumiko logs users.shop -f"],
  async run({ args, options, io }) {
    const folder = findLogs(resolve(io.cwd, options.dir ?? "."), io.cwd);
    const { namespace, name } = findProxy(args[0] ?? "", options.namespace, logsIn(folder));
    const file = join(folder, namespace, `${name}.log`);
    const { text, end } = tailOf(file, options.tail);
    io.stdout.write(text);
    if (!options.follow) return EXIT.done;
    await followFile(file, end, (part) => io.stdout.write(part), io.signal);
    return EXIT.done;
  },
});

/** The logs of the mesh of this folder, one above it, or the only one just below; they stay after `kumiko down`. */
function findLogs(from: string, cwd: string): string {
  const mesh = findMesh(from);
  if (mesh !== undefined) return join(mesh.state, "logs");
  const logsOf = (folder: string) => join(folder, ".kumiko", "logs");
  const found =
    ancestorsOf(from)
      .map(logsOf)
      .find((folder) => existsSync(folder)) ??
    onlyOf(
      foldersIn(from)
        .map(logsOf)
        .filter((folder) => existsSync(folder)),
    );
  if (found !== undefined) return found;
  throw new MeshError("network", `no mesh has run in ${from} or above it`, {
    help: `${howToStart(from, cwd)}   (or name its folder with --dir DIR)`,
  });
}

/** Newest first among those of one owner: `ready` stands for "is being written". */
function logsIn(folder: string): readonly { readonly namespace: string; readonly name: string; readonly ready: boolean }[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".log"));
  const newest = Math.max(0, ...files.map((file) => statSync(join(folder, file)).mtimeMs));
  return files.map((file) => {
    const namespace = dirname(file) === "." ? "" : dirname(file);
    const name = file.slice(namespace === "" ? 0 : namespace.length + 1, -".log".length);
    return { namespace, name, ready: statSync(join(folder, file)).mtimeMs > newest - 60_000 };
  });
}
