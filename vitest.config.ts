import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "src/**/*.test.ts",
            "scripts/**/*.test.ts",
            "test/fuzz/*.test.ts",
            "test/planted-bugs/*.test.ts",
            "platform/src/*/src/**/*.test.ts",
            "platform/infra/*.test.ts",
          ],
          // Deadlines for what is waited for, not speed: a busy machine is no failure.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // One after another: each starts real Envoys, and two cores are shared.
        test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 240_000, hookTimeout: 240_000, fileParallelism: false },
      },
      {
        // Long, at their full numbers where KUMIKO_SOAK is set: `make soak`.
        test: { name: "soak", include: ["test/soak/**/*.test.ts"], testTimeout: 3_600_000, hookTimeout: 240_000, fileParallelism: false },
      },
    ],
  },
});
