import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Log } from "../broker.ts";
import { Backoff, pause, untilAborted, within } from "../pause.ts";

export interface NatsOptions {
  /** `tls://user:password@host:port`. TLS from the first byte; `nats://` is plain, for tests. */
  readonly url: string;
  /** PEM of the authority that the server's certificate is checked against. */
  readonly ca?: string | undefined;
  /** Shown in the server's lists, and the first part of this connection's inbox subjects: a user may read no other. */
  readonly name: string;
  readonly log: Log;
}

/** A connection that is made in the background, and again when it is lost. */
export class NatsLink {
  readonly #options: NatsOptions;
  readonly #stopping = new AbortController();
  readonly #connecting: Promise<NatsConnection | undefined>;
  readonly #onReconnect = new Set<() => void>();
  #connection: NatsConnection | undefined;

  constructor(options: NatsOptions) {
    this.#options = options;
    this.#connecting = this.#connect();
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** The connection, once there was one. @throws after `waitMs`, or when the link is closed. */
  async connection(waitMs: number): Promise<NatsConnection> {
    const connection = this.#connection ?? (await within(waitMs, "connecting to NATS", this.#connecting));
    if (connection === undefined || connection.isClosed()) throw new Error("the connection to NATS is closed");
    return connection;
  }

  /** The connection, however long it takes; undefined when the link was closed, or `stopping` aborted, first. */
  async whenConnected(stopping: AbortSignal): Promise<NatsConnection | undefined> {
    const connection = await Promise.race([this.#connecting, untilAborted(stopping)]);
    return stopping.aborted ? undefined : connection;
  }

  onReconnect(tell: () => void): () => void {
    this.#onReconnect.add(tell);
    return () => this.#onReconnect.delete(tell);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await (await this.#connecting)?.close();
  }

  async #connect(): Promise<NatsConnection | undefined> {
    const backoff = new Backoff();
    let told = false;
    while (!this.stopping.aborted) {
      try {
        const connection = await connect(toConnectOptions(this.#options));
        this.#connection = connection;
        void this.#watch(connection);
        return connection;
      } catch (error) {
        if (!told) this.#options.log.warn({ err: error }, "NATS can't be reached; trying on");
        told = true;
        await pause(backoff.next(), this.stopping);
      }
    }
    return undefined;
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") this.#options.log.warn({}, "the connection to NATS is lost; trying on");
      if (status.type === "error") this.#options.log.warn({ err: status.error }, "NATS reports an error");
      if (status.type === "reconnect") {
        this.#options.log.info({}, "connected to NATS again");
        for (const tell of this.#onReconnect) tell();
      }
    }
  }
}

function toConnectOptions({ url, ca, name }: NatsOptions): Parameters<typeof connect>[0] {
  const { protocol, host, username, password } = new URL(url);
  return {
    servers: host,
    name,
    inboxPrefix: inboxPrefixOf(name),
    ...(username !== "" && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === "tls:" && { tls: { handshakeFirst: true, ...(ca !== undefined && { ca }) } }),
    timeout: 3_000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    // A peer that vanished without a word is noticed by its missing answers.
    pingInterval: 10_000,
    maxPingOut: 2,
    // The servers are those of the URL: others that a server names may not be reachable from here.
    ignoreClusterUpdates: true,
  };
}

export function inboxPrefixOf(name: string): string {
  return `_INBOX_${name}`;
}
