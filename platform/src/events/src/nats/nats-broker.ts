import { jetstream, type JsMsg } from "@nats-io/jetstream";
import { headers as newHeaders, type Msg, type NatsConnection } from "@nats-io/transport-node";
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
import { Backoff, pause, untilAborted, within } from "../pause.ts";
import { Subscriptions } from "../subscriptions.ts";
import { NatsLink, type NatsOptions } from "./link.ts";
import { KEY_HEADER, STREAM, subjectOf, typeOf } from "./names.ts";

/** How long a pull waits for messages; the shortest that the server allows. Stopping takes no longer. */
const PULL_MS = 1_000;

/** NATS JetStream: one stream, a durable consumer for each group; listeners are plain subscriptions. */
export class NatsBroker implements Broker {
  readonly #link: NatsLink;
  readonly #options: NatsOptions;
  readonly #subscriptions = new Subscriptions();

  constructor(options: NatsOptions) {
    this.#options = options;
    this.#link = new NatsLink(options);
  }

  async publish(messages: readonly Message[]): Promise<void> {
    const connection = await this.#link.connection(PUBLISH_TIMEOUT_MS);
    const stream = jetstream(connection, { timeout: PUBLISH_TIMEOUT_MS });
    const stored = messages.map((message) => {
      const headers = newHeaders();
      headers.set(KEY_HEADER, encodeURIComponent(message.key));
      return stream.publish(subjectOf(message.type), message.body, { msgID: message.id, headers, retries: 1 });
    });
    const outcomes = await within(PUBLISH_TIMEOUT_MS, "publishing to NATS", Promise.allSettled(stored));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw new Error("NATS did not store all events", { cause: failed.reason });
  }

  subscribe(options: SubscribeOptions): Subscription {
    return this.#subscriptions.start(async (stopping, isReady) => {
      const lanes = new Lanes(HANDLERS_AT_ONCE);
      const connection = await this.#link.whenConnected(stopping);
      if (connection !== undefined) await this.#work(connection, options, lanes, stopping, isReady);
      await lanes.idle();
    });
  }

  /** Short pulls rather than one that goes on: a pull that ends by itself leaves no message on its way to nobody. */
  async #work(
    connection: NatsConnection,
    options: SubscribeOptions,
    lanes: Lanes,
    stopping: AbortSignal,
    isReady: () => void,
  ): Promise<void> {
    const backoff = new Backoff();
    while (!stopping.aborted && !connection.isClosed()) {
      try {
        const consumer = await jetstream(connection).consumers.get(STREAM, options.group);
        isReady();
        while (!stopping.aborted) {
          const messages = await consumer.fetch({ max_messages: 4 * HANDLERS_AT_ONCE, expires: PULL_MS });
          for await (const message of messages) await lanes.run(keyOf(message), () => this.#deliver(message, options, stopping));
          backoff.reset();
        }
      } catch (error) {
        if (!connection.isClosed()) this.#options.log.warn({ err: error, group: options.group }, "the subscription broke; trying on");
        await pause(backoff.next(), stopping);
      }
    }
  }

  listen(options: ListenOptions): Subscription {
    return this.#subscriptions.start(async (stopping, isReady) => {
      const forget = this.#link.onReconnect(options.onGap);
      let plain: { unsubscribe(): void }[] = [];
      const begin = async () => {
        const connection = await this.#link.whenConnected(stopping);
        if (connection === undefined) return;
        plain = options.types.map((type) =>
          connection.subscribe(subjectOf(type), {
            callback: (error, message) => void (error === null && options.handle(toMessage(message))),
          }),
        );
        await connection.flush();
        isReady();
      };
      void begin().catch((error: unknown) => this.#options.log.warn({ err: error }, "listening broke"));
      await untilAborted(stopping);
      forget();
      for (const one of plain) one.unsubscribe();
    });
  }

  async check(): Promise<void> {
    const connection = await this.#link.connection(1_000);
    await within(2_000, "asking NATS", connection.flush());
  }

  async close(): Promise<void> {
    await this.#subscriptions.stop();
    await this.#link.close();
  }

  async #deliver(message: JsMsg, options: SubscribeOptions, stopping: AbortSignal): Promise<void> {
    // Not at once, or this pull would get it again.
    if (stopping.aborted) return message.nak(PULL_MS);
    try {
      await options.handle({ ...toMessage(message), id: message.headers?.get("Nats-Msg-Id") || `${STREAM}:${message.seq}` });
      message.ack();
    } catch {
      message.nak(REDELIVERY_MS);
    }
  }
}

/** What plain and JetStream's messages have in common. */
interface Received {
  readonly subject: string;
  readonly headers?: Msg["headers"] | undefined;
  string(): string;
}

function toMessage(message: Received): Message {
  const id = message.headers?.get("Nats-Msg-Id") ?? "";
  return { id, type: typeOf(message.subject), key: keyOf(message), body: message.string() };
}

function keyOf(message: Pick<Received, "headers">): string {
  const written = message.headers?.get(KEY_HEADER) ?? "";
  try {
    return decodeURIComponent(written);
  } catch {
    return written;
  }
}
