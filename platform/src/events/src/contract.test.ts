import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Broker } from "./broker.ts";
import { contract, World } from "./testing/contract.ts";
import { startKafka } from "./testing/kafka-rig.ts";
import { startNats } from "./testing/nats-rig.ts";
import { isMissing, type Rig } from "./testing/rig.ts";
import { startSqs } from "./testing/sqs-rig.ts";

/** Where this machine can't have a broker its tests are skipped, and say why; on a build server (`CI`) that is a failure. */
describe.each([
  { name: "NATS JetStream", start: startNats },
  { name: "Kafka", start: startKafka },
  { name: "SNS and SQS", start: startSqs },
])("$name", ({ name, start }) => {
  const opened: Broker[] = [];
  let rig: Rig | undefined;
  let missing = "";

  beforeAll(async () => {
    const found = await start();
    if (!isMissing(found)) rig = found;
    else if (process.env["CI"]) throw new Error(`${name} is needed here: ${found.missing}`);
    else missing = found.missing;
  }, 420_000);
  afterAll(async () => {
    await Promise.all(opened.map((broker) => broker.close()));
    await rig?.stop();
  });

  test.for(contract)("$title", { timeout: 180_000 }, async ({ run }, { skip }) => {
    if (rig === undefined) return skip(missing);
    const { open } = rig;
    expect.hasAssertions();
    await run(
      new World(rig, () => {
        const broker = open(`test-${opened.length}`);
        opened.push(broker);
        return broker;
      }),
    );
  });
});
