import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { placesOf, setUp } from "@platform/setup";
import { freePort } from "@platform/setup/testing";
import { type BrokerStandIn, startStandIn } from "./stand-in.ts";

export type { BrokerStandIn } from "./stand-in.ts";

/** A throw-away broker as the services find it, for tests. `stop` removes it. */
export async function startForTest(): Promise<BrokerStandIn> {
  const folder = mkdtempSync(join(tmpdir(), "platform-broker-"));
  const output: string[] = [];
  try {
    const places = placesOf({ PLATFORM_STATE: folder });
    await setUp(places);
    const standIn = await startStandIn(places, { port: await freePort(), log: (text) => output.push(text) });
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
