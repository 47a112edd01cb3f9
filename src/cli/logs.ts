import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MeshError } from "../model/error.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { ancestorsOf, findMesh, foldersIn, howToStart, onlyOf } from "./find-mesh.ts";
import { findProxy, type ProxyName } from "./find-proxy.ts";
import { proxiesIn } from "./proxy-log.ts";
import { printProxyLog } from "./print-proxy-log.ts";
import { followFile, tailOf } from "./tail.ts";

export const logs = defineCommand({
  name: "logs",
  summary: "Print what a workload wrote, or what its proxy passed on and refused",
  arguments: [{ name: "workload", help: "a Pod, what made it (users, users.shop), or outside/NAME, agent", names: "workload" }],
  options: {
    follow: { type: "boolean", short: "f", help: "go on as more is written, until Ctrl-C" },
    tail: { type: "number", value: "LINES", help: "only the last lines" },
    proxy: { type: "boolean", help: "the proxy's access log: who called what, and which file:line refused it" },
    failed: { type: "boolean", help: "with --proxy: only what was refused or failed" },
    status: { type: "string", value: "CODES", help: "with --proxy: only these, as in 403,5xx" },
    output: { type: "string", short: "o", value: "FORMAT", help: "with --proxy: json prints one object a line", choices: ["json"] },
  },
  examples: ["kumiko logs users -n shop --tail 20", "kumiko logs users.shop -f", "kumiko logs users.shop --proxy --failed --tail 10"],
  async run({ args, options, io }) {
    const state = findState(resolve(io.cwd, options.dir ?? "."), io.cwd);
    const word = args[0] ?? "";
    if (options.proxy) return printProxyLog(state, findProxy(word, options.namespace, proxiesIn(state)), options, io);
    for (const name of ["failed", "status", "output"] as const)
      if (options[name] !== undefined && options[name] !== false)
        throw new MeshError("usage", `--${name} is for --proxy`, { help: `kumiko logs ${word} --proxy` });
    const folder = join(state, "logs");
    const { namespace, name } = findProxy(word, options.namespace, logsIn(folder));
    const file = join(folder, namespace, `${name}.log`);
    const { text, end } = tailOf(file, options.tail);
    io.stdout.write(text);
    if (!options.follow) return EXIT.done;
    await followFile(file, end, (part) => io.stdout.write(part), io.signal);
    return EXIT.done;
  },
});

/** The state of the mesh of this folder, one above it, or the only one just below; its logs stay after `kumiko down`. */
function findState(from: string, cwd: string): string {
  const mesh = findMesh(from);
  if (mesh !== undefined) return mesh.state;
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
  if (found !== undefined) return dirname(found);
  throw new MeshError("network", `no mesh has run in ${from} or above it`, {
    help: `${howToStart(from, cwd)}   (or name its folder with --dir DIR)`,
  });
}

/** Newest first among those of one owner: `ready` stands for "is being written". */
function logsIn(folder: string): readonly ProxyName[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".log"));
  const newest = Math.max(0, ...files.map((file) => statSync(join(folder, file)).mtimeMs));
  return files.map((file) => {
    const namespace = dirname(file) === "." ? "" : dirname(file);
    const name = file.slice(namespace === "" ? 0 : namespace.length + 1, -".log".length);
    return { namespace, name, ready: statSync(join(folder, file)).mtimeMs > newest - 60_000 };
  });
}
