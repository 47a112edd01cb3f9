import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { placesOf, setUp } from "@platform/setup";
import { freePort } from "@platform/setup/testing";
import { type StandIn, startStandIn } from "./stand-in.ts";

export type { StandIn } from "./stand-in.ts";

/** A throw-away database with everything in it, for tests. `stop` removes it. */
export async function startForTest(): Promise<StandIn> {
  const folder = mkdtempSync(join(tmpdir(), "platform-database-"));
  const output: string[] = [];
  try {
    const places = placesOf({ PLATFORM_STATE: folder });
    await setUp(places);
    const standIn = await startStandIn(places, { port: await freePort(), log: (text) => output.push(text), durable: false });
    const stop = async () => {
      await standIn.stop();
      rmSync(folder, { recursive: true, force: true });
    };
    return { ...standIn, stop };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(output.join(""), { cause: error });
  }
}
