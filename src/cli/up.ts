import { relative } from "node:path";
import { asTyped } from "../base/as-typed.ts";
import { printableLines } from "../base/printable.ts";
import { quote } from "../base/shell.ts";
import { type Environment, type Places, placesOf, programFrom } from "../controlplane/config.ts";
import type { Progress } from "../controlplane/progress.ts";
import type { RunningMesh } from "../controlplane/up.ts";
import { unlessAborted } from "../runtime/unless-aborted.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { findMesh } from "./find-mesh.ts";
import type { Io } from "./io.ts";
import { PROFILE_OPTION, toProfile } from "./profile-option.ts";
import { type Paint, painter } from "./render.ts";
import { folderToRun } from "./up-folder.ts";

export const up = defineCommand({
  name: "up",
  summary: "Start the mesh of a folder on this machine; a sample in an empty one",
  arguments: [{ name: "dir", help: "folder with the manifests and, where there is one, kumiko.yaml (the current one)", optional: true }],
  options: {
    profile: PROFILE_OPTION,
    envoy: { type: "string", value: "FILE", help: "the Envoy to run (also KUMIKO_ENVOY)" },
    init: { type: "boolean", help: "write a kumiko.yaml for the folder's manifests, to be filled in, and start nothing" },
    mode: {
      type: "string",
      value: "MODE",
      help: "how workloads are kept apart; the best that the system allows",
      choices: ["namespaces", "ports"],
    },
  },
  examples: ["kumiko up", "kumiko up platform --profile istio"],
  async run({ args, options, io }) {
    const places = placesOf(folderToRun(args[0] ?? options.dir, io.cwd), io.environment);
    const paint = painter(io.stdout, io.environment);
    if (options.init) return init(places, io);
    const profile = toProfile(options.profile);
    const mode = options.mode === "namespaces" || options.mode === "ports" ? options.mode : undefined;
    // Loaded only here: help and mistakes need none of it.
    const { startUp } = await import("../controlplane/up.ts");
    try {
      const mesh = await startUp({
        places,
        program: programFrom(io.environment, io.cwd, places.root),
        environment: io.environment,
        signal: io.signal,
        impatience: io.impatience,
        progress: progressOn(io, paint),
        ...(profile !== undefined && { profile }),
        ...(mode !== undefined && { mode }),
        ...(options.envoy !== undefined && { envoy: options.envoy }),
      });
      io.stdout.write(whatToTry(mesh, places.root, io, paint));
      await unlessAborted(mesh.failed, io.signal).finally(() => mesh.stop());
    } catch (thrown) {
      if (!io.signal.aborted || thrown !== io.signal.reason) throw thrown;
    }
    return EXIT.done;
  },
});

async function init(places: Places, io: Io): Promise<number> {
  // As `startUp`, loaded only where it is wanted.
  const { writeLaunchFile } = await import("../controlplane/launch-skeleton.ts");
  const { file, images } = await writeLaunchFile(places);
  const fill =
    images.length === 0 ? "" : `; fill in the commands of ${images.length === 1 ? "its image" : `its ${images.length} images`}, then`;
  io.stdout.write(`wrote ${file}${fill}\n  next: ${io.environment.program} up ${relative(io.cwd, places.root) || "."}\n`);
  return EXIT.done;
}

function progressOn(io: Io, paint: Paint): Progress {
  const { stdout } = io;
  return {
    async step(name, work, describe) {
      const started = performance.now();
      if (stdout.isTerminal) stdout.write(`  … ${name}`);
      const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
      const line = (mark: string, text: string) =>
        stdout.write(`${stdout.isTerminal ? "\r\u001b[K" : ""}  ${mark} ${name.padEnd(14)} ${text}\n`);
      try {
        const result = await work();
        line(paint("√", "green"), `${seconds().padStart(6)}   ${describe?.(result) ?? ""}`.trimEnd());
        return result;
      } catch (error) {
        if (io.signal.aborted) line("–", `${seconds().padStart(6)}   interrupted`);
        else line(paint("×", "red"), seconds().padStart(6));
        throw error;
      }
    },
    stopping: () => stdout.write("\nstopping…\n"),
    stopped: () => stdout.write("stopped\n"),
    mended: (text) => stdout.write(`  ${paint("√", "green")} mended: ${printableLines(text)}\n`),
    say: (text) => stdout.write(`  ${printableLines(text)}\n`),
    warn: (text) => stdout.write(`  ${paint("‼", "yellow")} ${printableLines(asTyped(text, io.environment.program))}\n`),
  };
}

function whatToTry({ settings, notReady }: RunningMesh, root: string, io: Io, paint: Paint): string {
  const kumiko = commandFor(root, io.cwd, io.environment);
  const lines = ["", paint(notReady.length === 0 ? "The mesh runs." : "The mesh runs, but not all of it is ready:", "bold")];
  for (const { namespace, name } of notReady) lines.push(`  ${namespace}/${name}: see  ${kumiko} logs ${name} -n ${namespace}`);
  for (const { hostAddress, hostPort, namespace, deployment } of settings.publish)
    lines.push(`  ${namespace}/${deployment} is reached at ${hostAddress}:${hostPort}`);
  if (settings.token.length > 0) lines.push(`  a token:       ${kumiko} token create USER`);
  lines.push(`  what runs:     ${kumiko} status`);
  if (settings.try.length > 0) lines.push("", paint("Try, in another terminal:", "bold"));
  for (const command of settings.try) lines.push(`  ${asTyped(command, kumiko)}`);
  lines.push("", "Ctrl-C stops all of it.", "");
  return lines.join("\n");
}

/** How a person at this terminal types a command for that mesh: as they started us, with `--dir` where it would not be found. */
function commandFor(root: string, cwd: string, environment: Environment): string {
  const isFound = findMesh(cwd)?.record.root === root;
  return isFound ? environment.program : `${environment.program} --dir ${quote(relative(cwd, root) || ".")}`;
}
