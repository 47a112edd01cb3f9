import type { Client, ClientDuplexStream, Metadata } from "@grpc/grpc-js";
import { nextBackoff } from "../base/backoff.ts";
import { DELTA_PATH } from "../xds/protocol/path.ts";

const same = (bytes: Buffer): Buffer => bytes;

const FIRST_WAIT_MS = 250;
/** A control plane that says nothing at all this long counts as unreachable. */
const CONNECT_TIMEOUT_MS = 5_000;
/** What a stream says first may change many times a second. Each that came up has this long to bring something before the next takes its place. */
const LEAST_LIFE_MS = 500;

export interface UpstreamOptions {
  /** A new client for each attempt, with the certificate of that time. @throws while there is none */
  readonly connect: () => { readonly client: Client; readonly metadata: Metadata };
  /** The longest wait between two attempts. */
  readonly longestWaitMs: number;
  /** What a new stream says first: all subscriptions, with what Envoy holds. */
  readonly opening: () => readonly Buffer[];
  readonly onMessage: (bytes: Buffer) => void;
  readonly onUp: () => void;
  readonly onDown: (reason: string) => void;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
}

type Call = ClientDuplexStream<Buffer, Buffer>;

/** One stream to the control plane that comes back by itself: exponential back-off with full jitter. */
export class Upstream {
  readonly #options: UpstreamOptions;
  #call: Call | undefined;
  #limitMs = 0;
  #retry: NodeJS.Timeout | undefined;
  #replacement: NodeJS.Timeout | undefined;
  /** What the present stream said first has changed since. */
  #isOutdated = false;
  #upAtMs = 0;
  #isUp = false;
  #isClosed = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** The control plane has accepted the stream. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Begins the stream, unless there is one. */
  open(): void {
    if (this.#isClosed || this.#call !== undefined) return;
    const { opening, onMessage } = this.#options;
    const started = this.#start();
    if (typeof started === "string") return this.#down(started);
    const { call, client } = started;
    this.#call = call;
    const timeout = setTimeout(() => call.cancel(), CONNECT_TIMEOUT_MS);
    const isCurrent = () => this.#call === call;
    call.on("metadata", () => {
      clearTimeout(timeout);
      if (isCurrent()) this.#up();
    });
    call.on("data", (bytes: Buffer) => {
      if (isCurrent()) onMessage(bytes);
    });
    call.on("error", () => undefined);
    call.on("status", ({ details }) => {
      clearTimeout(timeout);
      client.close();
      if (isCurrent()) this.#down(details);
    });
    for (const message of opening()) call.write(message);
  }

  /**
   * What a stream says first has changed: the next one takes this one's place as soon as this one has had its time. Without a stream there is
   * nothing to do: the next one says it.
   */
  reopen(): void {
    if (this.#call === undefined) return;
    this.#isOutdated = true;
    if (this.#isUp) this.#replaceInTime();
  }

  /** False where there is no stream; what was said is then part of the next opening. */
  send(message: Buffer): boolean {
    if (this.#call === undefined) return false;
    this.#call.write(message);
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#leave()?.cancel();
  }

  #replaceInTime(): void {
    const leftMs = this.#upAtMs + LEAST_LIFE_MS - performance.now();
    this.#replacement ??= setTimeout(() => this.#replace(), Math.max(0, leftMs));
  }

  #replace(): void {
    const call = this.#leave();
    this.open();
    call?.cancel();
  }

  /** Hears nothing more of the stream, and doesn't try again. */
  #leave(): Call | undefined {
    clearTimeout(this.#retry);
    const call = this.#call;
    this.#ended();
    return call;
  }

  #ended(): void {
    clearTimeout(this.#replacement);
    this.#replacement = undefined;
    this.#call = undefined;
    this.#isOutdated = false;
    this.#isUp = false;
  }

  #start(): { readonly call: Call; readonly client: Client } | string {
    try {
      const { client, metadata } = this.#options.connect();
      return { client, call: client.makeBidiStreamRequest(DELTA_PATH, same, same, metadata) };
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #up(): void {
    if (this.#isUp) return;
    this.#isUp = true;
    this.#upAtMs = performance.now();
    this.#limitMs = 0;
    if (this.#isOutdated) this.#replaceInTime();
    this.#options.onUp();
  }

  #down(reason: string): void {
    this.#ended();
    const { longestWaitMs, random } = this.#options;
    this.#limitMs = nextBackoff(this.#limitMs, 0, { firstMs: FIRST_WAIT_MS, longestMs: longestWaitMs, steadyMs: Number.POSITIVE_INFINITY });
    this.#retry = setTimeout(() => this.open(), random() * this.#limitMs);
    this.#options.onDown(reason);
  }
}
