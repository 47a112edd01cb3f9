import { AckPolicy, DeliverPolicy, DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { nanos } from "@nats-io/transport-node";
import { DUPLICATE_WINDOW_MS, STREAM, SUBJECT_PREFIX, subjectOf } from "./names.ts";

const DAY_MS = 86_400_000;
/** A message whose handler has not answered for so long goes to another member. Longer than any transaction may take. */
const ACK_WAIT_MS = 30_000;

/**
 * Makes the stream that holds the events, or brings it to these settings; whoever runs the broker does this, the services may not.
 * Full, it takes no more rather than forget what nobody has read: the outboxes keep it meanwhile.
 */
export async function provisionStream(connection: NatsConnection, options: { readonly replicas?: number } = {}): Promise<void> {
  const manager = await jetstreamManager(connection);
  const settings = {
    subjects: [`${SUBJECT_PREFIX}>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: nanos(7 * DAY_MS),
    max_bytes: 1024 ** 3,
    max_msg_size: 256 * 1024,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    num_replicas: options.replicas ?? 1,
  };
  const streams = await manager.streams.names().next();
  if (streams.includes(STREAM)) await manager.streams.update(STREAM, settings);
  else await manager.streams.add({ name: STREAM, ...settings });
}

/**
 * Makes the consumer of a group, or brings it to the types that the group handles now. The services may not: a service that could make its
 * own could read every type.
 */
export async function provisionConsumer(
  connection: NatsConnection,
  group: string,
  types: readonly string[],
  ackWaitMs = ACK_WAIT_MS,
): Promise<void> {
  const manager = await jetstreamManager(connection);
  const settings = { ack_wait: nanos(ackWaitMs), max_ack_pending: 256, filter_subjects: types.map(subjectOf) };
  const names: string[] = [];
  for await (const { name } of manager.consumers.list(STREAM)) names.push(name);
  if (names.includes(group)) {
    await manager.consumers.update(STREAM, group, settings);
    return;
  }
  await manager.consumers.add(STREAM, {
    durable_name: group,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ...settings,
  });
}
