import * as z from "zod";
import type { Broker, Log } from "./broker.ts";

/** What a service that sends or handles events is told. */
export const eventsShape = {
  EVENTS_BROKER: z.enum(["nats", "kafka", "sqs"]).default("nats"),
  /** `tls://user:password@host:port` of NATS, `kafka+tls://user:password@host:port` of Kafka; for SQS another endpoint than AWS's, mostly none. */
  EVENTS_URL: z.url({ protocol: /^(tls|nats|kafka(\+tls)?|https?)$/, error: "must be the broker's URL" }).optional(),
  /** PEM of the authority that signed the broker's certificate; the system's authorities without it. */
  EVENTS_CA: z.string().includes("BEGIN CERTIFICATE", { error: "must be a PEM certificate" }).optional(),
  /** SQS: the SNS topic that events are published to. */
  EVENTS_TOPIC_ARN: z.string().startsWith("arn:").optional(),
};

export type EventsConfig = z.output<z.ZodObject<typeof eventsShape>>;

/** The adapter that the configuration names; only its client is loaded. @throws where the configuration lacks what the adapter needs. */
export async function openBroker(config: EventsConfig, options: { readonly name: string; readonly log: Log }): Promise<Broker> {
  const { EVENTS_URL: url, EVENTS_CA: ca, EVENTS_TOPIC_ARN: topicArn } = config;
  if (config.EVENTS_BROKER === "sqs") {
    if (topicArn === undefined) throw new Error("EVENTS_TOPIC_ARN is needed for sqs");
    const { SqsBroker } = await import("./sqs/sqs-broker.ts");
    return new SqsBroker({ topicArn, endpoint: url, log: options.log });
  }
  if (url === undefined) throw new Error(`EVENTS_URL is needed for ${config.EVENTS_BROKER}`);
  if (config.EVENTS_BROKER === "kafka") {
    const { KafkaBroker } = await import("./kafka/kafka-broker.ts");
    return new KafkaBroker({ url, ca, ...options });
  }
  const { NatsBroker } = await import("./nats/nats-broker.ts");
  return new NatsBroker({ url, ca, ...options });
}
