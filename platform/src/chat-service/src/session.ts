import type { Log } from "@platform/events";
import { Problem, toProblem } from "@platform/service-kit";
import { CLOSE, ClientFrame, type ServerFrame } from "./frames.ts";
import type { Messages } from "./messages.ts";
import type { Presence } from "./presence.ts";
import { RateLimit } from "./rate-limit.ts";
import type { RoomFeed } from "./room-feed.ts";
import type { Rooms } from "./rooms.ts";
import type { SocketCaller } from "./socket-token.ts";

export interface SessionParts {
  readonly rooms: Rooms;
  readonly messages: Messages;
  readonly presence: Presence;
  readonly feed: RoomFeed;
}

/** The socket as a session needs it. */
export interface Line {
  send(text: string): void;
  close(code: number, reason: string): void;
}

const MAX_ROOMS = 50;
/** Frames that wait for their turn; who sends more does not listen to answers. */
const MAX_WAITING = 64;

/** One client's connection: takes its frames one after the other, and gives it what is said in the rooms that it follows. */
export class Session {
  readonly id: string;
  readonly caller: SocketCaller;
  readonly #parts: SessionParts;
  readonly #line: Line;
  readonly #log: Log;
  readonly #following = new Map<string, () => void>();
  readonly #rate = new RateLimit(20, 40);
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  #isOpen = true;

  constructor(given: { id: string; caller: SocketCaller; parts: SessionParts; line: Line; log: Log }) {
    this.id = given.id;
    this.caller = given.caller;
    this.#parts = given.parts;
    this.#line = given.line;
    this.#log = given.log;
  }

  /** Takes one frame's text. */
  receive(text: string): void {
    if (this.#waiting >= MAX_WAITING) return this.#line.close(CLOSE.policy, "too many frames at once");
    const frame = readFrame(text);
    if (frame === undefined) return this.#send({ type: "problem", status: 400, title: "The frame does not fit the protocol" });
    if (!this.#rate.take()) return this.#refuse(frame, new Problem(429, "Too many requests"));
    this.#waiting++;
    this.#turn = this.#turn.then(async () => {
      await this.#handle(frame).catch((error: unknown) => this.#refuse(frame, error));
      this.#waiting--;
    });
  }

  /** Ends it after what is under way. `isLast`: the whole replica ends, and tells of all its connections at once. */
  async end(isLast: boolean): Promise<void> {
    this.#isOpen = false;
    for (const unfollow of this.#following.values()) unfollow();
    await this.#turn;
    if (!isLast && this.#following.size > 0) await this.#parts.presence.leave(this.id);
    this.#following.clear();
  }

  async #handle(frame: ClientFrame): Promise<void> {
    if (!this.#isOpen) return;
    if (frame.type === "subscribe") return await this.#subscribe(frame.roomId, frame.after);
    if (frame.type === "unsubscribe") return await this.#unsubscribe(frame.roomId);
    if (frame.type === "read") return await this.#parts.rooms.read(frame.roomId, this.caller.sub, frame.seq);
    const { message } = await this.#parts.messages.post({
      roomId: frame.roomId,
      author: this.caller.sub,
      fallbackName: this.caller.name ?? this.caller.sub,
      text: frame.text.trim(),
      clientId: frame.clientId,
    });
    this.#send({ type: "posted", clientId: frame.clientId, message });
  }

  async #subscribe(roomId: string, after: number | undefined): Promise<void> {
    const room = await this.#parts.rooms.find(roomId, this.caller.sub);
    if (room === undefined) throw new Problem(404, "Not found", { detail: "no such room" });
    if (!room.joined) throw new Problem(403, "Forbidden", { detail: "join the room first" });
    if (!this.#following.has(roomId) && this.#following.size >= MAX_ROOMS) throw new Problem(409, "Conflict", { detail: "too many rooms" });
    this.#following.get(roomId)?.();
    await this.#parts.presence.enter({ connection: this.id, roomId, subject: this.caller.sub });
    this.#send({ type: "subscribed", roomId, lastSeq: room.lastSeq, online: await this.#parts.presence.online(roomId) });
    const unfollow = this.#parts.feed.follow(roomId, Math.min(after ?? room.lastSeq, room.lastSeq), {
      onMessage: (message) => this.#send({ type: "message", message }),
      onPresence: (online) => this.#send({ type: "presence", roomId, online }),
    });
    this.#following.set(roomId, unfollow);
    if (!this.#isOpen) unfollow();
  }

  async #unsubscribe(roomId: string): Promise<void> {
    this.#following.get(roomId)?.();
    if (this.#following.delete(roomId)) await this.#parts.presence.leave(this.id, roomId);
    this.#send({ type: "unsubscribed", roomId });
  }

  #refuse(frame: ClientFrame, error: unknown): void {
    const problem = toProblem(error);
    if (problem.status >= 500) this.#log.error({ err: error, frame: frame.type }, "a frame could not be handled");
    this.#send({
      type: "problem",
      status: problem.status,
      title: problem.title,
      ...(problem.message !== problem.title && { detail: problem.message }),
      roomId: frame.roomId,
      ...(frame.type === "post" && { clientId: frame.clientId }),
    });
  }

  #send(frame: ServerFrame): void {
    if (this.#isOpen) this.#line.send(JSON.stringify(frame));
  }
}

function readFrame(text: string): ClientFrame | undefined {
  try {
    return ClientFrame.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
