/** What one client, and all of them, may cost the control plane. */
export interface XdsLimits {
  readonly maxStreams: number;
  /** Streams of one mTLS identity: a workload can't use up what all share. */
  readonly maxStreamsPerIdentity: number;
  readonly maxRequestBytes: number;
  readonly maxNodeBytes: number;
  /** Names that one stream may subscribe to in one type. */
  readonly maxNames: number;
  readonly requestsPerSecond: number;
  /** How many requests may come at once before the rate counts; an Envoy asks for each secret and route by itself. */
  readonly requestBurst: number;
  /** A client that leaves a message unanswered this long is dropped. */
  readonly hungAfterMs: number;
  /** A stream must say which node it is within this time. */
  readonly firstRequestMs: number;
}

export const DEFAULT_LIMITS: XdsLimits = {
  maxStreams: 10_000,
  maxStreamsPerIdentity: 256,
  maxRequestBytes: 4 * 1024 * 1024,
  maxNodeBytes: 64 * 1024,
  maxNames: 100_000,
  requestsPerSecond: 1_000,
  requestBurst: 20_000,
  hungAfterMs: 60_000,
  firstRequestMs: 30_000,
};

/** Time, passed in so that tests own it. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /** Runs again and again until the returned function is called; doesn't keep the process alive. */
  every(periodMs: number, run: () => void): () => void;
}

export const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  every(periodMs, run) {
    const timer = setInterval(run, periodMs).unref();
    return () => clearInterval(timer);
  },
};

/** Token bucket: true as long as the client keeps to its rate. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #clock: Clock;
  #tokens: number;
  #at: number;

  constructor(limits: Pick<XdsLimits, "requestsPerSecond" | "requestBurst">, clock: Clock) {
    this.#perSecond = limits.requestsPerSecond;
    this.#burst = limits.requestBurst;
    this.#clock = clock;
    this.#tokens = limits.requestBurst;
    this.#at = clock.now();
  }

  take(): boolean {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#perSecond) / 1_000);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
