import type { Platform } from "./platform.ts";
import { killProgram, startProgram } from "./platform-programs.ts";

/** The provider that `kumiko up` started for a platform, and a way to run it again without it. */
export function identityProviderOf(platform: Platform): {
  /** Ends it without a chance to say goodbye; resolves when nothing answers at its port any more. */
  kill(): Promise<void>;
  start(): Promise<{ stop(): Promise<void> }>;
} {
  return {
    kill: () => killProgram(platform, "identity-provider"),
    start: () => startProgram(platform, "identity-provider"),
  };
}
