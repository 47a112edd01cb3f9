const WINDOW_MS = 60_000;
const MAX_WRONG_PER_PEER = 10;
const MAX_PEERS = 10_000;

/** Counts wrong guesses by peer within a minute. Right ones never come here: a guesser can't keep others of its address out. */
export class GuessLimit {
  readonly #now: () => number;
  #windowStart: number;
  #byPeer = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
    this.#windowStart = now();
  }

  /** False where the peer has made too many within this minute. */
  countWrong(peer: string): boolean {
    if (Math.abs(this.#now() - this.#windowStart) >= WINDOW_MS) {
      this.#windowStart = this.#now();
      this.#byPeer = new Map();
    }
    const count = (this.#byPeer.get(peer) ?? 0) + 1;
    if (this.#byPeer.has(peer) || this.#byPeer.size < MAX_PEERS) this.#byPeer.set(peer, count);
    return count <= MAX_WRONG_PER_PEER;
  }
}
