/** What a broker carries. It looks at none of it but `type` and `key`. */
export interface Message {
  readonly id: string;
  readonly type: string;
  readonly key: string;
  readonly body: string;
}

export interface SubscribeOptions {
  /** Each message goes to one member of the group; the group remembers how far it is, also while no member is there. */
  readonly group: string;
  readonly types: readonly string[];
  /** Resolved: the message is done with. Rejected: it comes again, here or at another member, after a pause. */
  readonly handle: (message: Message) => Promise<void>;
}

export interface ListenOptions {
  readonly types: readonly string[];
  readonly handle: (message: Message) => void;
  /** Messages may have been missed: the connection was away. */
  readonly onGap: () => void;
}

export interface Subscription {
  /** Resolves once messages can arrive for the first time. Never rejects; stays open while the broker is away. */
  readonly ready: Promise<void>;
  /** Ends it; handlers that run are waited for. */
  stop(): Promise<void>;
}

/**
 * The port to a message broker. What every adapter guarantees, and `testing/contract.ts` checks:
 * a published message reaches each group at least once; messages of one key reach a group's only member in the order in which they were
 * published, as long as none is refused; a broker that is away makes `publish` reject, and subscriptions go on by themselves when it is back.
 */
export interface Broker {
  /** Resolves when the broker has stored all of them. Rejects within `PUBLISH_TIMEOUT_MS` otherwise: some may be stored then, and publishing them again is right. */
  publish(messages: readonly Message[]): Promise<void>;
  subscribe(options: SubscribeOptions): Subscription;
  /** Everything that is published from now on, to everyone who listens, without a promise. */
  listen(options: ListenOptions): Subscription;
  /** Rejects when the broker can't be reached now. */
  check(): Promise<void>;
  /** Stops subscriptions and closes connections. */
  close(): Promise<void>;
}

/** Where adapters and their users say what goes wrong; a Fastify or Pino logger is one. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Shorter than PostgreSQL's limit for a transaction that waits: the relay publishes inside of one. */
export const PUBLISH_TIMEOUT_MS = 4_000;

/** Handlers of one subscription that may run side by side: each holds a connection to the database, of which requests need some too. */
export const HANDLERS_AT_ONCE = 4;

/** The pause before a message that was refused comes again. */
export const REDELIVERY_MS = 500;
