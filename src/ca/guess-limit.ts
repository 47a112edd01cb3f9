const WINDOW_MS = 60_000;
const MAX_WRONG_PER_PEER = 10;
const MAX_WRONG_IN_ALL = 1000;
const MAX_PEERS = 10_000;

/** Counts wrong guesses by peer and in all within a minute; who has too many may not try again until the minute is over. */
export class GuessLimit {
  readonly #now: () => number;
  #windowStart: number;
  #inAll = 0;
  #byPeer = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
    this.#windowStart = now();
  }

  mayTry(peer: string): boolean {
    if (Math.abs(this.#now() - this.#windowStart) >= WINDOW_MS) {
      this.#windowStart = this.#now();
      this.#inAll = 0;
      this.#byPeer = new Map();
    }
    return this.#inAll < MAX_WRONG_IN_ALL && (this.#byPeer.get(peer) ?? 0) < MAX_WRONG_PER_PEER;
  }

  countWrong(peer: string): void {
    this.#inAll++;
    if (this.#byPeer.has(peer) || this.#byPeer.size < MAX_PEERS) this.#byPeer.set(peer, (this.#byPeer.get(peer) ?? 0) + 1);
  }
}
