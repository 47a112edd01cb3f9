import { renameSync } from "node:fs";
import { join } from "node:path";
import type { Platform } from "./platform.ts";
import { killProgram, untilReady } from "./platform-programs.ts";

/** The provider that `kumiko up` starts for a platform, and a way to keep it away for as long as a test needs. */
export function identityProviderOf(platform: Platform): {
  /** Ends it without a chance to say goodbye, and takes its source away, so that it can't start again. */
  takeAway(): Promise<void>;
  /** Resolves when it is ready. */
  giveBack(): Promise<void>;
} {
  const [there, away] = ["src", "src.away"].map((name) => join(platform.dir, name)) as [string, string];
  return {
    async takeAway() {
      renameSync(there, away);
      await killProgram(platform, "identity-provider");
    },
    async giveBack() {
      renameSync(away, there);
      await untilReady(platform, "identity-provider");
    },
  };
}
