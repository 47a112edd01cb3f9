import { readConfig } from "@platform/service-kit";
import { expect, test } from "vitest";
import { eventsShape, openBroker } from "./config.ts";
import { noLog } from "./testing/rig.ts";

const read = (env: Record<string, string>) => readConfig(eventsShape, env);
const open = async (env: Record<string, string>) => (await openBroker(read(env), { name: "test", log: noLog })).close();

test.each([
  { title: "NATS, where nothing else is said", env: { EVENTS_URL: "tls://a:b@127.0.0.1:1" } },
  { title: "Kafka", env: { EVENTS_BROKER: "kafka", EVENTS_URL: "kafka+tls://a:b@127.0.0.1:1" } },
  { title: "SQS", env: { EVENTS_BROKER: "sqs", EVENTS_TOPIC_ARN: "arn:aws:sns:eu-central-1:123456789012:platform.fifo" } },
])("opens $title, though nobody is there, and closes", async ({ env }) => {
  await expect(open(env)).resolves.toBeUndefined();
});

test.each([
  { env: {}, message: "EVENTS_URL is needed for nats" },
  { env: { EVENTS_BROKER: "sqs" }, message: "EVENTS_TOPIC_ARN is needed for sqs" },
])("$env: $message", async ({ env, message }) => {
  await expect(open(env)).rejects.toThrow(message);
});

test("names what is wrong, and shows no value", () => {
  const wrong = () => read({ EVENTS_URL: "ftp://u:hunter2@h", EVENTS_CA: "secret" });
  expect(wrong).toThrow(/EVENTS_URL[\s\S]*EVENTS_CA/);
  expect(wrong).not.toThrow(/hunter2|secret/);
});
