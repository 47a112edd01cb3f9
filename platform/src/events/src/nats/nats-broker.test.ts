import { expect, test } from "vitest";
import { noLog } from "../testing/rig.ts";
import { NatsBroker } from "./nats-broker.ts";

const NOBODY = "nats://127.0.0.1:1";

test("what waits for a NATS that is not there can be stopped, each by itself", async () => {
  const broker = new NatsBroker({ url: NOBODY, name: "test", log: noLog });
  const subscription = broker.subscribe({ group: "g", types: ["t"], handle: async () => undefined });
  const listening = broker.listen({ types: ["t"], handle: () => undefined, onGap: () => undefined });
  expect(await Promise.all([subscription.stop(), listening.stop()])).toEqual([undefined, undefined]);
  await broker.close();
});
