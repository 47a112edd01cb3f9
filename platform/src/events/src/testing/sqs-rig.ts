import { CreateTopicCommand } from "@aws-sdk/client-sns";
import { freePort } from "@platform/setup/testing";
import { openClients, provisionQueue, queueNameOf } from "../sqs/provision.ts";
import { SqsBroker } from "../sqs/sqs-broker.ts";
import { startChild, untilUp } from "./child.ts";
import { findMoto } from "./moto.ts";
import { type Missing, noLog, type Rig } from "./rig.ts";

const TOPIC = "arn:aws:sns:eu-central-1:123456789012:platform.fifo";

/** moto's SNS and SQS. It keeps its data in memory only. */
export async function startSqs(): Promise<Rig | Missing> {
  const env = await findMoto();
  if (env === undefined) return { missing: "no moto, and pip can't install it (pip install moto flask flask-cors)" };
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = startChild("python3", ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)], env);
  await untilUp(child, 60_000, async () => (await fetch(`${endpoint}/moto-api/`)).ok);
  // The SDK reads its credentials from here; moto takes any.
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) process.env[name] ??= "testing";
  const clients = openClients(TOPIC, endpoint);
  await clients.sns.send(new CreateTopicCommand({ Name: "platform.fifo", Attributes: { FifoTopic: "true" } }));
  return {
    open: () => new SqsBroker({ topicArn: TOPIC, endpoint, log: noLog }),
    async provision(group, types) {
      await provisionQueue(clients, { topicArn: TOPIC, name: queueNameOf(group), types, keepSeconds: 3_600 });
    },
    outage: undefined,
    async stop() {
      clients.sns.destroy();
      clients.sqs.destroy();
      await child.end("SIGKILL");
    },
  };
}
