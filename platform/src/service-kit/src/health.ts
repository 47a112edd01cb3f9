import type { FastifyInstance } from "fastify";
import { Problem } from "./problem.ts";

/** What has to hold before requests may come. Resolves when it does, rejects with the reason when not. */
export type Check = () => Promise<void>;

/**
 * Adds `/health/live` (the process answers), `/health/start` and `/health/ready` (every check holds). Once start has been answered with
 * 200 it stays so: a database that is away later makes a service unready, not restarted.
 */
export function addHealth(server: FastifyInstance, checks: Readonly<Record<string, Check>>): void {
  let started = false;
  const quiet = { logLevel: "warn" } as const;
  server.get("/health/live", quiet, async () => ({ status: "ok" }));
  server.get("/health/ready", quiet, async () => {
    await runChecks(checks);
    return { status: "ok" };
  });
  server.get("/health/start", quiet, async () => {
    if (!started) await runChecks(checks);
    started = true;
    return { status: "ok" };
  });
}

async function runChecks(checks: Readonly<Record<string, Check>>): Promise<void> {
  const outcomes = await Promise.allSettled(Object.values(checks).map((check) => check()));
  const failed = Object.keys(checks).filter((_, index) => outcomes[index]?.status === "rejected");
  if (failed.length === 0) return;
  const cause = outcomes.find((outcome) => outcome.status === "rejected")?.reason;
  throw new Problem(503, "Not ready", { detail: `waiting for: ${failed.join(", ")}`, cause });
}
