/** The page's WebSocket to chat-service (docs/chat-protocol.md): connects again when it breaks, and loses and doubles nothing. No document here. */
import type { Message, Person } from "./api.ts";

export type LineState = "connecting" | "connected" | "reconnecting" | "ended";

export interface ChatLineEvents {
  readonly onState: (state: LineState) => void;
  readonly onMessage: (message: Message) => void;
  readonly onPresence: (online: readonly Person[]) => void;
  /** What was said and is not stored yet. */
  readonly onWaiting: (texts: readonly string[]) => void;
  readonly onProblem: (reason: string) => void;
}

/** As much of a WebSocket as is used here. */
export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
}

export interface ChatLineOptions extends ChatLineEvents {
  readonly roomId: string;
  /** Number of the newest message that is there already. */
  readonly lastSeq: number;
  readonly open: () => Socket;
  readonly wait?: (run: () => void, delayMs: number) => void;
}

interface ServerFrame {
  readonly type: string;
  readonly roomId?: string;
  readonly message?: Message;
  readonly online?: readonly Person[];
  readonly clientId?: string;
  readonly title?: string;
  readonly detail?: string;
}

const TOKEN_ENDED = 4401;
const REPLICA_STOPS = 1001;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

export class ChatLine {
  readonly #options: ChatLineOptions;
  #socket: Socket | undefined;
  #lastSeq: number;
  #failures = 0;
  #isSubscribed = false;
  #isClosed = false;
  /** By client id: what was said and has no answer yet. It is sent again on the next connection, and stored once. */
  readonly #unanswered = new Map<string, string>();

  constructor(options: ChatLineOptions) {
    this.#options = options;
    this.#lastSeq = options.lastSeq;
    this.#connect("connecting");
  }

  say(text: string): void {
    const clientId = crypto.randomUUID();
    this.#unanswered.set(clientId, text);
    this.#tellWaiting();
    if (this.#isSubscribed) this.#post(clientId, text);
  }

  /** Says that the messages so far have been seen. */
  read(): void {
    if (this.#isSubscribed) this.#send({ type: "read", roomId: this.#options.roomId, seq: this.#lastSeq });
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }

  #connect(state: LineState): void {
    if (this.#isClosed) return;
    this.#options.onState(state);
    const socket = this.#options.open();
    this.#socket = socket;
    socket.onopen = () => this.#send({ type: "subscribe", roomId: this.#options.roomId, after: this.#lastSeq });
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(String(data)) as ServerFrame);
    socket.onclose = ({ code }) => this.#onClose(code);
  }

  #onClose(code: number): void {
    this.#isSubscribed = false;
    this.#socket = undefined;
    if (this.#isClosed) return;
    if (code === TOKEN_ENDED) {
      this.#isClosed = true;
      return this.#options.onState("ended");
    }
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures++);
    // Not all pages at the same moment.
    const delay = code === REPLICA_STOPS && this.#failures === 1 ? 0 : longest * (0.5 + Math.random() / 2);
    this.#options.onState("reconnecting");
    (this.#options.wait ?? setTimeout)(() => this.#connect("reconnecting"), delay);
  }

  #receive(frame: ServerFrame): void {
    switch (frame.type) {
      case "subscribed":
        this.#isSubscribed = true;
        this.#failures = 0;
        this.#options.onState("connected");
        this.#options.onPresence(frame.online ?? []);
        for (const [clientId, text] of this.#unanswered) this.#post(clientId, text);
        return;
      case "presence":
        return this.#options.onPresence(frame.online ?? []);
      case "message":
        return this.#take(frame.message);
      case "posted":
        this.#answered(frame.clientId);
        return;
      case "problem":
        this.#answered(frame.clientId);
        return this.#options.onProblem(frame.detail ?? frame.title ?? "");
      default:
    }
  }

  #take(message: Message | undefined): void {
    if (message === undefined || message.seq <= this.#lastSeq) return;
    this.#lastSeq = message.seq;
    this.#options.onMessage(message);
  }

  #answered(clientId: string | undefined): void {
    if (clientId !== undefined && this.#unanswered.delete(clientId)) this.#tellWaiting();
  }

  #tellWaiting(): void {
    this.#options.onWaiting([...this.#unanswered.values()]);
  }

  #post(clientId: string, text: string): void {
    this.#send({ type: "post", roomId: this.#options.roomId, text, clientId });
  }

  #send(frame: object): void {
    this.#socket?.send(JSON.stringify(frame));
  }
}
