import { randomUUID } from "node:crypto";
import {
  Consumer,
  type Message as KafkaRecord,
  type MessagesStream,
  Producer,
  stringDeserializers,
  stringSerializers,
} from "@platformatic/kafka";
import {
  type Broker,
  HANDLERS_AT_ONCE,
  type ListenOptions,
  type Message,
  PUBLISH_TIMEOUT_MS,
  REDELIVERY_MS,
  type SubscribeOptions,
  type Subscription,
} from "../broker.ts";
import { Lanes } from "../lanes.ts";
import { Backoff, pause, within } from "../pause.ts";
import { Subscriptions } from "../subscriptions.ts";
import { TOPIC } from "./names.ts";
import { type KafkaOptions, toBaseOptions } from "./options.ts";

type Record = KafkaRecord<string, string, string, string>;
type Stream = MessagesStream<string, string, string, string>;

const PASSED_OVER = 100n;

/** Kafka: one topic, a consumer group for each group, a group of its own for each listener. */
export class KafkaBroker implements Broker {
  readonly #options: KafkaOptions;
  readonly #producer: Producer<string, string, string, string>;
  readonly #subscriptions = new Subscriptions();

  constructor(options: KafkaOptions) {
    this.#options = options;
    this.#producer = new Producer({ ...toBaseOptions(options), serializers: stringSerializers, idempotent: true, acks: -1, retries: 2 });
  }

  async publish(messages: readonly Message[]): Promise<void> {
    const records = messages.map(({ id, type, key, body }) => ({ topic: TOPIC, key, value: body, headers: { id, type } }));
    await within(PUBLISH_TIMEOUT_MS, "publishing to Kafka", this.#producer.send({ messages: records }));
  }

  subscribe(options: SubscribeOptions): Subscription {
    const types = new Set(options.types);
    return this.#run(options.group, "committed", async (stream, stopping) => {
      const lanes = new Lanes(HANDLERS_AT_ONCE);
      try {
        for await (const record of stream) {
          await lanes.run(`${record.partition}`, () => this.#handle(record, types, options, stopping));
        }
      } finally {
        await lanes.idle();
      }
    });
  }

  listen(options: ListenOptions): Subscription {
    const types = new Set(options.types);
    let isFirst = true;
    return this.#run(`listen-${randomUUID()}`, "latest", async (stream) => {
      if (!isFirst) options.onGap();
      isFirst = false;
      for await (const record of stream) {
        const message = toMessage(record);
        if (types.has(message.type)) options.handle(message);
      }
    });
  }

  async check(): Promise<void> {
    await within(2_000, "asking Kafka", this.#producer.metadata({ topics: [TOPIC], forceUpdate: true }));
  }

  async close(): Promise<void> {
    await this.#subscriptions.stop();
    await this.#producer.close();
  }

  /** A record that is refused is tried again here: a partition has no way around it. */
  async #handle(record: Record, types: ReadonlySet<string>, options: SubscribeOptions, stopping: AbortSignal): Promise<void> {
    const message = toMessage(record);
    while (types.has(message.type)) {
      if (stopping.aborted) return;
      try {
        await options.handle(message);
        break;
      } catch {
        await pause(REDELIVERY_MS, stopping);
      }
    }
    // What is passed over is committed now and then, or a group would begin with all of it again.
    if (!types.has(message.type) && record.offset % PASSED_OVER !== 0n) return;
    await Promise.resolve(record.commit()).catch((error: unknown) => {
      this.#options.log.warn({ err: error, group: options.group }, "Kafka did not note how far the group is; records will come again");
    });
  }

  /** Joins the group and works on its records, and again when that breaks, until it is stopped. */
  #run(groupId: string, mode: "committed" | "latest", work: (stream: Stream, stopping: AbortSignal) => Promise<void>): Subscription {
    return this.#subscriptions.start(async (stopping, isReady) => {
      const backoff = new Backoff();
      while (!stopping.aborted) {
        const consumer = new Consumer({ ...toBaseOptions(this.#options), groupId, deserializers: stringDeserializers, retries: 2 });
        consumer.on("error", (error: Error) => this.#options.log.warn({ err: error, groupId }, "the Kafka consumer reports an error"));
        try {
          await this.#consume(consumer, mode, stopping, async (stream) => {
            isReady();
            backoff.reset();
            await work(stream, stopping);
          });
        } catch (error) {
          if (!stopping.aborted) this.#options.log.warn({ err: error, groupId }, "the subscription broke; trying on");
        }
        await Promise.resolve(consumer.close(true)).catch(() => undefined);
        await pause(backoff.next(), stopping);
      }
    });
  }

  async #consume(
    consumer: Consumer<string, string, string, string>,
    mode: "committed" | "latest",
    stopping: AbortSignal,
    work: (stream: Stream) => Promise<void>,
  ): Promise<void> {
    const stream = await consumer.consume({
      topics: [TOPIC],
      mode,
      ...(mode === "committed" && { fallbackMode: "earliest" as const }),
      autocommit: false,
      sessionTimeout: 10_000,
      heartbeatInterval: 2_000,
      rebalanceTimeout: 15_000,
      maxWaitTime: 500,
    });
    const stop = () => void stream.close().catch(() => undefined);
    stopping.addEventListener("abort", stop, { once: true });
    if (stopping.aborted) stop();
    try {
      await untilPlaced(stream);
      await work(stream);
    } finally {
      stopping.removeEventListener("abort", stop);
      await stream.close().catch(() => undefined);
    }
  }
}

/** A stream asks where it begins only after it was made: a listener would miss what is published before it knows. */
async function untilPlaced(stream: Stream): Promise<void> {
  if (stream.offsetsToFetch.size > 0) return;
  await new Promise<void>((resolve, reject) => {
    stream.once("offsets", resolve).once("close", resolve).once("error", reject);
  });
}

function toMessage(record: Record): Message {
  const id = record.headers.get("id") ?? `${TOPIC}:${record.partition}:${record.offset}`;
  return { id, type: record.headers.get("type") ?? "", key: record.key ?? "", body: record.value ?? "" };
}
