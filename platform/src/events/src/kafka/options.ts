import { Admin, type BaseOptions } from "@platformatic/kafka";
import type { Log } from "../broker.ts";
import { TOPIC } from "./names.ts";

export interface KafkaOptions {
  /** `kafka+tls://user:password@host:port`, SASL by SCRAM-SHA-512 where a user is given; `kafka://` is plain, for tests. */
  readonly url: string;
  /** PEM of the authority that the brokers' certificates are checked against. */
  readonly ca?: string | undefined;
  readonly name: string;
  readonly log: Log;
}

export function toBaseOptions({ url, ca, name }: Omit<KafkaOptions, "log">): BaseOptions {
  const { protocol, host, username, password } = new URL(url);
  return {
    clientId: name,
    bootstrapBrokers: [host],
    connectTimeout: 3_000,
    timeout: 4_000,
    retries: 0,
    ...(protocol === "kafka+tls:" && { tls: ca === undefined ? {} : { ca }, tlsServerName: true }),
    ...(username !== "" && {
      sasl: { mechanism: "SCRAM-SHA-512", username: decodeURIComponent(username), password: decodeURIComponent(password) },
    }),
  };
}

/** Makes the topic, as whoever runs the broker does. */
export async function provisionTopic(options: Omit<KafkaOptions, "log">, size: { partitions: number; replicas: number }): Promise<void> {
  const admin = new Admin(toBaseOptions(options));
  try {
    if (!(await admin.listTopics()).includes(TOPIC)) await admin.createTopics({ topics: [TOPIC], ...size });
  } finally {
    await admin.close();
  }
}
