import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { keepLogBounded } from "../agent/index.ts";
import { MeshError } from "../model/error.ts";
import type { Environment, Places } from "./config.ts";
import type { LaunchSettings } from "./launch-settings.ts";

/** The environment of a program that kumiko.yaml names: the caller's, the file's, and a `node` that is the one that runs us. */
export function programEnvironment(settings: Pick<LaunchSettings, "programEnv">, environment: Environment): NodeJS.ProcessEnv {
  return { ...environment.variables, ...settings.programEnv, PATH: [dirname(process.execPath), environment.path].join(delimiter) };
}

/** Runs kumiko.yaml's `prepare` command to its end; its output goes to a log. @throws MeshError with the last lines where it fails. */
export async function prepare(settings: LaunchSettings, places: Places, environment: Environment): Promise<void> {
  const [program = "", ...args] = settings.prepare;
  const logFile = join(places.state, "logs", "prepare.log");
  const { code, output } = await runToEnd(program, args, places.root, programEnvironment(settings, environment));
  appendFileSync(logFile, output, { mode: 0o600 });
  keepLogBounded(logFile);
  if (code === 0) return;
  const lastLines = output.trimEnd().split("\n").slice(-5).join("\n");
  throw new MeshError("io", `prepare failed (${code}): ${settings.prepare.join(" ")}\n${lastLines}`, { help: `cat ${logFile}` });
}

function runToEnd(
  program: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly code: number | string; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const add = (part: Buffer) => {
      output = (output + part.toString("utf8")).slice(-1_000_000);
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    child.once("error", (cause) => reject(new MeshError("missing-program", `can't run ${program}`, { cause })));
    child.once("close", (code, signal) => resolve({ code: code ?? signal ?? "killed", output }));
  });
}
