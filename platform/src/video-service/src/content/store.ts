/** The bytes from `start` up to and with `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The port to where uploads lie. A content is written once, under a key of its own, and never changed; who points to the key decides what
 * is seen. What every adapter guarantees is checked by `store.test.ts`.
 */
export interface ContentStore {
  /**
   * Stores all of `bytes`, and returns the key.
   *
   * @throws what `bytes` throws, or that the store failed; nothing is left under the key then.
   */
  write(bytes: AsyncIterable<Uint8Array>): Promise<string>;
  /** Throws while it is read where the content is not there, or ends too early. */
  read(key: string, range: ByteRange): AsyncIterable<Uint8Array>;
  /** What is not there is removed already. */
  remove(key: string): Promise<void>;
  /** Keys that were begun before that time. */
  keysBefore(time: Date): Promise<readonly string[]>;
}
