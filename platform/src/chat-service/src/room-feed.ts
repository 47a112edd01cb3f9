import { type Broker, type Log, type Message as EventMessage, messagePosted, presenceChanged, readEnvelope } from "@platform/events";
import type { Message, Messages } from "./messages.ts";
import type { Person, Presence } from "./presence.ts";
import type { Rooms } from "./rooms.ts";

/** One connection's interest in a room. */
export interface Listener {
  onMessage(message: Message): void;
  onPresence(online: readonly Person[]): void;
}

export interface RoomFeedParts {
  readonly broker: Pick<Broker, "listen">;
  readonly rooms: Pick<Rooms, "lastSeqs">;
  readonly messages: Pick<Messages, "since">;
  readonly presence: Pick<Presence, "online">;
  readonly log: Log;
}

interface Follower {
  readonly listener: Listener;
  /** The number of the last message that it has been given. */
  seq: number;
}

const PAGE = 200;
/** Looks for what no event told of: the broker promises listeners nothing. */
const CATCH_UP_MS = 5_000;

/**
 * Gives this replica's connections what is said in their rooms, on whichever replica it was said. Events are only the occasion: where one
 * is missing, late or double, the numbers of the messages show it, and the database fills the gap. Each follower gets each message once,
 * in order.
 */
export class RoomFeed {
  readonly #parts: RoomFeedParts;
  readonly #rooms = new Map<string, Set<Follower>>();
  readonly #turns = new Map<string, Promise<void>>();
  readonly #presenceTurns = new Set<string>();
  readonly #subscription: ReturnType<Broker["listen"]>;
  readonly #catchingUp: NodeJS.Timeout;

  constructor(parts: RoomFeedParts) {
    this.#parts = parts;
    this.#subscription = parts.broker.listen({
      types: [messagePosted.type, presenceChanged.type],
      handle: (message) => this.#hear(message),
      onGap: () => this.#catchUp(),
    });
    this.#catchingUp = setInterval(() => this.#catchUp(), CATCH_UP_MS);
  }

  /** Resolves when it hears events for the first time. */
  get ready(): Promise<void> {
    return this.#subscription.ready;
  }

  /** Everything after message `seq` from now on. @returns how to end it. */
  follow(roomId: string, seq: number, listener: Listener): () => void {
    const follower: Follower = { listener, seq };
    const followers = this.#rooms.get(roomId) ?? new Set();
    this.#rooms.set(roomId, followers.add(follower));
    this.#inTurn(roomId, () => this.#readOn(roomId));
    return () => {
      followers.delete(follower);
      if (followers.size === 0 && this.#rooms.get(roomId) === followers) this.#rooms.delete(roomId);
    };
  }

  async stop(): Promise<void> {
    clearInterval(this.#catchingUp);
    await this.#subscription.stop();
    await Promise.all(this.#turns.values());
  }

  #hear(event: EventMessage): void {
    const roomId = event.key;
    if (!this.#rooms.has(roomId)) return;
    if (event.type === presenceChanged.type) return this.#tellPresence(roomId);
    let message: Message;
    try {
      message = messagePosted.read(readEnvelope(event.body).data);
    } catch (error) {
      return this.#parts.log.warn({ err: error }, "an event that can't be read");
    }
    this.#inTurn(roomId, async () => {
      const followers = [...(this.#rooms.get(roomId) ?? [])];
      if (followers.some(({ seq }) => seq < message.seq - 1)) return await this.#readOn(roomId);
      for (const follower of followers) give(follower, message);
    });
  }

  #catchUp(): void {
    const ids = [...this.#rooms.keys()];
    if (ids.length === 0) return;
    const look = async () => {
      const newest = await this.#parts.rooms.lastSeqs(ids);
      for (const [roomId, followers] of this.#rooms) {
        const seq = newest.get(roomId) ?? 0;
        if ([...followers].some((follower) => follower.seq < seq)) this.#inTurn(roomId, () => this.#readOn(roomId));
      }
    };
    look().catch((error: unknown) => this.#parts.log.warn({ err: error }, "can't look for messages that were missed; trying on"));
  }

  /** Reads from the database what the room's followers have not got. */
  async #readOn(roomId: string): Promise<void> {
    for (;;) {
      const followers = [...(this.#rooms.get(roomId) ?? [])];
      if (followers.length === 0) return;
      const seq = Math.min(...followers.map((follower) => follower.seq));
      const page = await this.#parts.messages.since({ roomId, seq, limit: PAGE });
      for (const message of page) for (const follower of followers) give(follower, message);
      if (page.length < PAGE) return;
    }
  }

  /** Many changes at once are told once. */
  #tellPresence(roomId: string): void {
    if (this.#presenceTurns.has(roomId)) return;
    this.#presenceTurns.add(roomId);
    this.#inTurn(roomId, async () => {
      this.#presenceTurns.delete(roomId);
      const online = await this.#parts.presence.online(roomId);
      for (const { listener } of this.#rooms.get(roomId) ?? []) listener.onPresence(online);
    });
  }

  /** One after the other within a room; what fails is made good by the next look. */
  #inTurn(roomId: string, work: () => Promise<void>): void {
    const turn = (this.#turns.get(roomId) ?? Promise.resolve()).then(work).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, roomId }, "a room's news could not be given; trying on");
    });
    this.#turns.set(roomId, turn);
    void turn.finally(() => {
      if (this.#turns.get(roomId) === turn) this.#turns.delete(roomId);
    });
  }
}

function give(follower: Follower, message: Message): void {
  if (message.seq !== follower.seq + 1) return;
  follower.seq = message.seq;
  follower.listener.onMessage(message);
}
