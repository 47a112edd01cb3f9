import { WebSocket } from "ws";
import * as z from "zod";
import type { Gateway } from "./gateway.ts";

const message = z.object({ roomId: z.string(), seq: z.int(), text: z.string() });
const Frame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("posted"), clientId: z.string() }),
  z.object({ type: z.literal("message"), message }),
  z.object({ type: z.literal("subscribed"), roomId: z.string(), lastSeq: z.int() }),
  z.object({ type: z.literal("problem"), status: z.int(), title: z.string(), clientId: z.string().optional() }),
  z.object({ type: z.literal("presence") }),
]);
type Frame = z.output<typeof Frame>;

/** Why a message was not acknowledged over the line. */
export class LineError extends Error {
  override readonly name = "LineError";
}

export interface ChatLineOptions {
  readonly gateway: Gateway;
  readonly token: string;
  readonly rooms: readonly string[];
  readonly onMessage: (text: string) => void;
  /** A message that came twice, or one that did not come. */
  readonly onGap: (what: string) => void;
}

const HOST = "chat.example.com";
const AGAIN_MS = { first: 100, longest: 2_000 };
const ANSWER_MS = 15_000;

/** Somebody's WebSocket: follows rooms, and comes again where it left off when the line breaks. */
export class ChatLine {
  readonly #options: ChatLineOptions;
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  readonly #lastSeq = new Map<string, number>();
  #socket: WebSocket | undefined;
  #againMs = AGAIN_MS.first;
  #reconnects = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ChatLineOptions) {
    this.#options = options;
  }

  /** How often the line broke. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Resolves when all rooms are followed. */
  async open(): Promise<void> {
    await this.#connect();
  }

  /** Resolves when the message is stored. @throws LineError where that is not known. */
  async post(roomId: string, text: string, clientId: string): Promise<void> {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) throw new LineError("the line is down");
    const waiting = Promise.withResolvers<void>();
    this.#waiting.set(clientId, waiting);
    const late = setTimeout(() => waiting.reject(new LineError(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
    socket.send(JSON.stringify({ type: "post", roomId, text, clientId }));
    try {
      await waiting.promise;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(clientId);
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  async #connect(): Promise<void> {
    const { gateway, token, rooms } = this.#options;
    const headers = { authorization: `Bearer ${token}` };
    const createConnection = () => gateway.connect(HOST);
    const socket = new WebSocket(`wss://${HOST}/api/v1/chat/socket`, ["chat.v1"], { headers, createConnection, perMessageDeflate: false });
    const followed = Promise.withResolvers<void>();
    const missing = new Set(rooms);
    this.#socket = socket;
    socket.on("open", () => {
      for (const roomId of rooms) {
        const after = this.#lastSeq.get(roomId);
        socket.send(JSON.stringify({ type: "subscribe", roomId, ...(after !== undefined && { after }) }));
      }
    });
    socket.on("message", (text) => {
      const frame = Frame.parse(JSON.parse(String(text)));
      this.#receive(frame);
      if (frame.type === "subscribed") missing.delete(frame.roomId);
      if (missing.size === 0) followed.resolve();
    });
    socket.on("error", () => {});
    socket.on("close", (code) => {
      followed.reject(new LineError(`the line was closed with ${code}`));
      this.#broke(code);
    });
    await followed.promise;
    this.#againMs = AGAIN_MS.first;
  }

  #receive(frame: Frame): void {
    if (frame.type === "posted") this.#waiting.get(frame.clientId)?.resolve();
    if (frame.type === "problem" && frame.clientId !== undefined)
      this.#waiting.get(frame.clientId)?.reject(new LineError(`${frame.status} ${frame.title}`));
    if (frame.type === "subscribed" && !this.#lastSeq.has(frame.roomId)) this.#lastSeq.set(frame.roomId, frame.lastSeq);
    if (frame.type !== "message") return;
    const { roomId, seq, text } = frame.message;
    const expected = (this.#lastSeq.get(roomId) ?? seq - 1) + 1;
    if (seq !== expected) this.#options.onGap(`message ${seq} came where ${expected} was due`);
    this.#lastSeq.set(roomId, seq);
    this.#options.onMessage(text);
  }

  #broke(code: number): void {
    for (const { reject } of this.#waiting.values()) reject(new LineError(`the line was closed with ${code}`));
    if (this.#isClosed) return;
    this.#reconnects++;
    this.#timer = setTimeout(() => void this.#connect().catch(() => {}), this.#againMs);
    this.#againMs = Math.min(this.#againMs * 2, AGAIN_MS.longest);
  }
}
