import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "../../../src/controlplane/admin-client.ts";
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

/** Resolves when `kumiko up`, which starts a program outside of the mesh again, calls it ready. */
export async function untilReady(platform: Platform, name: ProgramName): Promise<void> {
  await waitFor(`${name} is ready again`, async () => {
    const { body } = await ask(join(platform.mesh().runDir, "admin.sock"), "/kumiko/v1/status");
    const { programs } = (body as { host: { programs: readonly { name: string; ready: boolean }[] } }).host;
    return programs.some((program) => program.name === name && program.ready);
  });
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
