import type { Duplex } from "node:stream";

/** Above this the peer has to wait until what came is read. */
const HIGH_WATER_BYTES = 1 << 20;

/** What comes in on a connection, asked for piece by piece. It never throws: a connection that failed has ended, and `error` says why. */
export class ByteReader {
  readonly #stream: Duplex;
  #buffered: Buffer = Buffer.alloc(0);
  #ended = false;
  #error: NodeJS.ErrnoException | undefined;
  #wake: (() => void) | undefined;
  /** All bytes that ever came. */
  #total = 0;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("data", this.#push).on("end", this.#end).on("close", this.#end).on("error", this.#fail);
    if (stream.destroyed || stream.readableEnded) this.#ended = true;
  }

  get buffered(): Buffer {
    return this.#buffered;
  }

  get error(): NodeJS.ErrnoException | undefined {
    return this.#error;
  }

  get total(): number {
    return this.#total;
  }

  /** Waits for more bytes than there are; false at the end. */
  async more(): Promise<boolean> {
    const before = this.#total;
    while (this.#total === before && !this.#ended) {
      this.#stream.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#total !== before;
  }

  /** Whatever is there, at least one byte; undefined at the end. */
  async some(): Promise<Buffer | undefined> {
    if (this.#buffered.length === 0 && !(await this.more())) return undefined;
    return this.#take(this.#buffered.length);
  }

  /** Exactly so many bytes; undefined where the end comes first. */
  async exactly(count: number): Promise<Buffer | undefined> {
    while (this.#buffered.length < count) {
      if (!(await this.more())) return undefined;
    }
    return this.#take(count);
  }

  /** Up to the next line feed, without it and a carriage return before it; undefined where the end or the limit comes first. */
  async line(limitBytes: number): Promise<string | undefined> {
    for (let searched = 0; ; ) {
      const at = this.#buffered.indexOf(10, searched);
      if (at !== -1) {
        const text = this.#take(at + 1).toString("utf8", 0, at);
        return text.endsWith("\r") ? text.slice(0, -1) : text;
      }
      searched = this.#buffered.length;
      if (searched > limitBytes || !(await this.more())) return undefined;
    }
  }

  /** Gives the connection to another reader, with the bytes that nobody has read. */
  release(): void {
    this.#stream.pause();
    this.#stream.off("data", this.#push).off("end", this.#end).off("close", this.#end).off("error", this.#fail);
    this.#stream.on("error", () => {});
    if (this.#buffered.length > 0) this.#stream.unshift(this.#take(this.#buffered.length));
  }

  #take(count: number): Buffer {
    const taken = this.#buffered.subarray(0, count);
    this.#buffered = this.#buffered.subarray(count);
    return taken;
  }

  readonly #push = (chunk: Buffer): void => {
    this.#total += chunk.length;
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    if (this.#buffered.length > HIGH_WATER_BYTES) this.#stream.pause();
    this.#wake?.();
  };

  readonly #end = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  readonly #fail = (error: Error): void => {
    this.#error ??= error;
    this.#end();
  };
}
