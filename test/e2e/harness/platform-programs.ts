import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { readChildren } from "../../../src/runtime/proc.ts";
import type { Platform } from "./platform.ts";
import { waitFor } from "./wait.ts";

/** Programs that `kumiko up` runs for a platform, by the name of their folder in `src`: its services, and what stands outside. */
export type ProgramName = "user-service" | "video-service" | "chat-service" | "identity-provider" | "database" | "broker";

/** Ends one process of a program without a chance to say goodbye, with all that it has started; resolves when it is gone. */
export async function killProgram(platform: Platform, name: ProgramName): Promise<void> {
  const pid = descendants(platform.mesh().pid).find((one) => argumentsOf(one).slice(1, 2).includes(programOf(name)));
  if (pid === undefined) throw new Error(`no ${name} runs`);
  const all = [pid, ...descendants(pid)];
  process.kill(pid, "SIGKILL");
  await waitFor(`${name} is gone`, () => all.every((one) => argumentsOf(one).length === 0));
}

/** Runs a program outside of the mesh again, without `kumiko up`; resolves when it is ready. */
export async function startProgram(platform: Platform, name: ProgramName): Promise<{ stop(): Promise<void> }> {
  const env = { ...process.env, ...platform.env, PLATFORM_STATE: `${platform.dir}/.kumiko/platform` };
  const child = spawn(process.execPath, [programOf(name)], { cwd: platform.dir, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (said += part.toString()));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await waitFor(`${name} is ready`, () => said.includes("ready on"), {
    failed: () => (child.exitCode === null ? undefined : `it ended with code ${child.exitCode}`),
    explain: () => said,
  });
  return {
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function programOf(name: ProgramName): string {
  return `src/${name}/src/main.ts`;
}

function descendants(pid: number): readonly number[] {
  return readChildren(pid).flatMap((child) => [child, ...descendants(child)]);
}

/** Empty for a process that is gone, or dead and not yet waited for. */
function argumentsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}
