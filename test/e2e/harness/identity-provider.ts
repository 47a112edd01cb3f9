import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { readChildren } from "../../../src/runtime/proc.ts";
import type { Platform } from "./platform.ts";
import { waitFor } from "./wait.ts";

const PROGRAM = "src/identity-provider/src/main.ts";

/** The provider that `kumiko up` started for a platform, and a way to run it again without it. */
export function identityProviderOf(platform: Platform): {
  /** Ends it without a chance to say goodbye; resolves when nothing answers at its port any more. */
  kill(): Promise<void>;
  start(): Promise<{ stop(): Promise<void> }>;
} {
  return {
    async kill() {
      const pid = descendants(platform.mesh().pid).find((one) => argumentsOf(one).slice(1, 2).includes(PROGRAM));
      if (pid === undefined) throw new Error("no identity provider runs");
      process.kill(pid, "SIGKILL");
      await waitFor("it is gone", () => argumentsOf(pid).length === 0);
    },
    async start() {
      const env = { ...process.env, ...platform.env, PLATFORM_STATE: `${platform.dir}/.kumiko/platform` };
      const child = spawn(process.execPath, [PROGRAM], { cwd: platform.dir, env, stdio: ["ignore", "pipe", "inherit"] });
      let said = "";
      child.stdout.on("data", (part: Buffer) => (said += part.toString()));
      const ended = new Promise((resolve) => child.once("exit", resolve));
      await waitFor("the provider is ready", () => said.includes("ready on"), {
        failed: () => (child.exitCode === null ? undefined : `it ended with code ${child.exitCode}`),
      });
      return {
        async stop() {
          child.kill("SIGTERM");
          await ended;
        },
      };
    },
  };
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
