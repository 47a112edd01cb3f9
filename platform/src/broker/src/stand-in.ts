import { join } from "node:path";
import { NatsLink, permissionsOf, provisionConsumer, provisionStream } from "@platform/events/nats";
import { brokerAdmin, brokerUserOf, type Places, readCredential, readPasswords } from "@platform/setup";
import { grants } from "./grants.ts";
import { type NatsServer, type NatsUser, startNatsServer } from "./nats-server.ts";

export interface BrokerStandIn extends NatsServer {
  /** The URL that a service is given. */
  serviceUrl(service: string): string;
  readonly ca: string;
}

/** Starts the broker as the services find it in production: TLS, a user for each service, the stream made. `setUp` has run. */
export async function startStandIn(places: Places, options: { port: number; log: (text: string) => void }): Promise<BrokerStandIn> {
  const passwords = readPasswords(places);
  const { authority } = readCredential(places, "broker");
  const passwordOf = (user: string) => passwords[user] ?? "";
  const services = grants.map(
    (one): NatsUser => ({ user: one.name, password: passwordOf(brokerUserOf(one.name)), permissions: permissionsOf(one) }),
  );
  const server = await startNatsServer({
    folder: places.nats,
    port: options.port,
    users: [{ user: brokerAdmin, password: passwordOf(brokerAdmin) }, ...services],
    tls: { certificatePath: join(places.certificates, "broker.pem"), keyPath: join(places.certificates, "broker.key") },
    log: options.log,
  });
  const urlOf = (user: string, password: string) => `tls://${user}:${password}@localhost:${options.port}`;
  try {
    await provision(urlOf(brokerAdmin, passwordOf(brokerAdmin)), authority, options.log);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...server, ca: authority, serviceUrl: (service) => urlOf(service, passwordOf(brokerUserOf(service))) };
}

async function provision(url: string, ca: string, log: (text: string) => void): Promise<void> {
  const say = (fields: object, message: string) => log(`${message} ${"err" in fields ? String(fields.err) : ""}\n`);
  const link = new NatsLink({ url, ca, name: brokerAdmin, log: { info: say, warn: say, error: say } });
  try {
    const connection = await link.connection(10_000);
    await provisionStream(connection);
    for (const { name, handles } of grants) if (handles.length > 0) await provisionConsumer(connection, name, handles);
  } finally {
    await link.close();
  }
}
