import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { messagePosted, userSignedUp, videoPublished } from "@platform/events";
import { STREAM } from "@platform/events/nats";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type BrokerStandIn, startForTest } from "./testing.ts";

let broker: BrokerStandIn;
const open: NatsConnection[] = [];
beforeAll(async () => {
  broker = await startForTest();
});
afterAll(() => broker?.stop());
afterEach(() => Promise.all(open.splice(0).map((connection) => connection.close())));

async function connectAs(service: string, over: { password?: string; ca?: string } = {}): Promise<NatsConnection> {
  const { host, username, password } = new URL(broker.serviceUrl(service));
  const connection = await connect({
    servers: host,
    user: username,
    pass: over.password ?? password,
    tls: { handshakeFirst: true, ca: over.ca ?? broker.ca },
    inboxPrefix: `_INBOX_${service}`,
    reconnect: false,
    timeout: 5_000,
  });
  open.push(connection);
  return connection;
}

const subject = (type: string) => `platform.events.${type}`;
const publish = async (service: string, type: string) =>
  await jetstream(await connectAs(service)).publish(subject(type), "{}", { timeout: 1_500, retries: 1 });

describe("the broker", () => {
  test("lets a service publish its own kinds, and nothing else", async () => {
    expect(await publish("user-service", userSignedUp.type)).toMatchObject({ stream: STREAM });
    await expect(publish("user-service", videoPublished.type)).rejects.toThrow(/permissions violation/i);
    await expect(publish("video-service", userSignedUp.type)).rejects.toThrow(/permissions violation/i);
    await expect(publish("chat-service", userSignedUp.type)).rejects.toThrow(/permissions violation/i);
  });

  test("lets a service read its own consumer, and nobody else's events", async () => {
    const chat = await connectAs("chat-service");
    expect(await (await jetstream(chat).consumers.get(STREAM, "chat-service")).next({ expires: 5_000 })).toMatchObject({
      subject: subject(userSignedUp.type),
    });
    const other = await connectAs("video-service");
    await expect(jetstream(other).consumers.get(STREAM, "chat-service")).rejects.toThrow(/permissions violation/i);
    const manager = await jetstreamManager(other, { checkAPI: false });
    await expect(manager.consumers.add(STREAM, { durable_name: "mine" })).rejects.toThrow(/permissions violation/i);
    await expect(manager.streams.delete(STREAM)).rejects.toThrow(/permissions violation/i);
  });

  test.each([subject(messagePosted.type), "platform.>", ">", "_INBOX_chat-service.>", "$JS.>"])(
    "user-service may not listen to %s",
    async (wanted) => {
      const connection = await connectAs("user-service");
      const refused = Promise.withResolvers<string>();
      connection.subscribe(wanted, { callback: (error) => refused.resolve(String(error?.message)) });
      await connection.flush();
      expect(await refused.promise).toMatch(/permissions violation/i);
    },
  );

  test("takes no wrong password, and shows a certificate of our authority only", async () => {
    await expect(connectAs("user-service", { password: "guess" })).rejects.toThrow(/authorization/i);
    const { rootCertificates } = await import("node:tls");
    await expect(connectAs("user-service", { ca: rootCertificates[0] ?? "" })).rejects.toThrow(/certificate|issuer|self-signed/);
  });
});
