import { createHash, randomUUID } from "node:crypto";
import { GetTopicAttributesCommand, PublishBatchCommand, UnsubscribeCommand } from "@aws-sdk/client-sns";
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueUrlCommand,
  type Message as QueueMessage,
  ReceiveMessageCommand,
} from "@aws-sdk/client-sqs";
import {
  type Broker,
  HANDLERS_AT_ONCE,
  type ListenOptions,
  type Log,
  type Message,
  PUBLISH_TIMEOUT_MS,
  REDELIVERY_MS,
  type SubscribeOptions,
  type Subscription,
} from "../broker.ts";
import { Lanes } from "../lanes.ts";
import { Backoff, pause } from "../pause.ts";
import { Subscriptions } from "../subscriptions.ts";
import { type AwsClients, openClients, provisionQueue, queueNameOf } from "./provision.ts";

export interface SqsOptions {
  /** A FIFO topic of SNS. */
  readonly topicArn: string;
  /** Another endpoint than AWS's. */
  readonly endpoint?: string | undefined;
  readonly log: Log;
}

/** SNS takes ten messages at a time, and 256 KiB together. */
const BATCH = 10;
const BATCH_BYTES = 200 * 1024;
/** A listener's queue forgets soon: what is old is of no use to it. */
const LISTEN_KEEP_SECONDS = 60;

/** SQS behind SNS: one FIFO topic, a FIFO queue for each group; a listener makes a queue of its own and removes it. */
export class SqsBroker implements Broker {
  readonly #options: SqsOptions;
  readonly #clients: AwsClients;
  readonly #subscriptions = new Subscriptions();

  constructor(options: SqsOptions) {
    this.#options = options;
    this.#clients = openClients(options.topicArn, options.endpoint);
  }

  async publish(messages: readonly Message[]): Promise<void> {
    const abortSignal = AbortSignal.timeout(PUBLISH_TIMEOUT_MS);
    for (const batch of toBatches(messages)) {
      const entries = batch.map((message, index) => ({
        Id: String(index),
        Message: message.body,
        MessageGroupId: groupIdOf(message.key),
        MessageDeduplicationId: message.id,
        MessageAttributes: { id: text(message.id), type: text(message.type), key: text(message.key) },
      }));
      const command = new PublishBatchCommand({ TopicArn: this.#options.topicArn, PublishBatchRequestEntries: entries });
      const { Failed = [] } = await this.#clients.sns.send(command, { abortSignal });
      if (Failed.length > 0) throw new Error(`SNS refused ${Failed.length} events: ${Failed[0]?.Code ?? "no reason"}`);
    }
  }

  subscribe(options: SubscribeOptions): Subscription {
    const lanes = new Lanes(HANDLERS_AT_ONCE);
    const open = async () => {
      const { QueueUrl } = await this.#clients.sqs.send(new GetQueueUrlCommand({ QueueName: queueNameOf(options.group) }));
      return QueueUrl ?? "";
    };
    const take = (url: string, message: QueueMessage, stopping: AbortSignal) => {
      const received = toMessage(message);
      const handle = () =>
        stopping.aborted ? this.#giveBack(url, message, 0) : this.#handle(url, message, () => options.handle(received));
      return lanes.run(received.key, handle);
    };
    return this.#poll({ open, take, close: () => lanes.idle(), onRestart: () => undefined });
  }

  listen(options: ListenOptions): Subscription {
    let own: { url: string; subscriptionArn: string } | undefined;
    const open = async () => {
      own ??= await provisionQueue(this.#clients, {
        topicArn: this.#options.topicArn,
        name: queueNameOf(`listen-${randomUUID()}`),
        types: options.types,
        keepSeconds: LISTEN_KEEP_SECONDS,
      });
      return own.url;
    };
    const take = async (url: string, message: QueueMessage) => {
      options.handle(toMessage(message));
      await this.#handle(url, message, async () => undefined);
    };
    const close = async () => {
      if (own === undefined) return;
      await this.#clients.sns.send(new UnsubscribeCommand({ SubscriptionArn: own.subscriptionArn }));
      await this.#clients.sqs.send(new DeleteQueueCommand({ QueueUrl: own.url }));
    };
    return this.#poll({ open, take, close, onRestart: options.onGap });
  }

  async check(): Promise<void> {
    const abortSignal = AbortSignal.timeout(2_000);
    await this.#clients.sns.send(new GetTopicAttributesCommand({ TopicArn: this.#options.topicArn }), { abortSignal });
  }

  async close(): Promise<void> {
    await this.#subscriptions.stop();
    this.#clients.sns.destroy();
    this.#clients.sqs.destroy();
  }

  async #handle(url: string, message: QueueMessage, handle: () => Promise<void>): Promise<void> {
    try {
      await handle();
      await this.#clients.sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle }));
    } catch {
      await this.#giveBack(url, message, Math.ceil(REDELIVERY_MS / 1_000));
    }
  }

  async #giveBack(url: string, { ReceiptHandle }: QueueMessage, seconds: number): Promise<void> {
    const command = new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle, VisibilityTimeout: seconds });
    // Where even that fails, it comes again when its time is over.
    await this.#clients.sqs.send(command).catch(() => undefined);
  }

  #poll(queue: {
    readonly open: () => Promise<string>;
    readonly take: (url: string, message: QueueMessage, stopping: AbortSignal) => Promise<void>;
    readonly close: () => Promise<void>;
    readonly onRestart: () => void;
  }): Subscription {
    return this.#subscriptions.start(async (stopping, isReady) => {
      const backoff = new Backoff();
      for (let breaks = 0; !stopping.aborted; breaks++) {
        try {
          const url = await queue.open();
          isReady();
          if (breaks > 0) queue.onRestart();
          while (!stopping.aborted) {
            for (const message of await this.#receive(url, stopping)) await queue.take(url, message, stopping);
            backoff.reset();
          }
        } catch (error) {
          if (!stopping.aborted) this.#options.log.warn({ err: error }, "the queue can't be read; trying on");
          await pause(backoff.next(), stopping);
        }
      }
      await queue.close().catch((error: unknown) => this.#options.log.warn({ err: error }, "the queue was not closed in order"));
    });
  }

  async #receive(url: string, abortSignal: AbortSignal): Promise<readonly QueueMessage[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: BATCH,
      WaitTimeSeconds: 10,
      MessageAttributeNames: ["All"],
    });
    return (await this.#clients.sqs.send(command, { abortSignal })).Messages ?? [];
  }
}

function toBatches(messages: readonly Message[]): readonly (readonly Message[])[] {
  const batches: Message[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = Buffer.byteLength(message.body);
    const last = batches.at(-1);
    if (last === undefined || last.length === BATCH || bytes + size > BATCH_BYTES) {
      batches.push([message]);
      bytes = size;
    } else {
      last.push(message);
      bytes += size;
    }
  }
  return batches;
}

/** A group's id may have 128 plain characters; a key may have others. */
function groupIdOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

function text(value: string): { DataType: "String"; StringValue: string } {
  return { DataType: "String", StringValue: value };
}

function toMessage({ MessageAttributes, MessageId, Body }: QueueMessage): Message {
  const attribute = (name: string) => MessageAttributes?.[name]?.StringValue;
  return { id: attribute("id") ?? MessageId ?? "", type: attribute("type") ?? "", key: attribute("key") ?? "", body: Body ?? "" };
}
