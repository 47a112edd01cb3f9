/** Splits a stream of bytes into lines, empty ones left out. In place of one that is too long comes undefined. */
export class LineReader {
  readonly #limitBytes: number;
  readonly #take: (line: string | undefined) => void;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(limitBytes: number, take: (line: string | undefined) => void) {
    this.#limitBytes = limitBytes;
    this.#take = take;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes <= this.#limitBytes) this.#chunks.push(part);
  }

  #finish(): void {
    const line = this.#bytes > this.#limitBytes ? undefined : Buffer.concat(this.#chunks).toString("utf8");
    this.#chunks = [];
    this.#bytes = 0;
    if (line?.trim() !== "") this.#take(line);
  }
}
