import { createHash } from "node:crypto";
import { MeshError } from "../model/error.ts";
import { KEY_SET_KIND, type KeySetBody, readKeySet } from "../model/jwks.ts";
import type { LocatedResource } from "../model/resource.ts";
import { fetchKeySet, type KeySetFetchOptions } from "./key-set-fetch.ts";
import type { KeptKeys, LastGoodKeys } from "./last-good-keys.ts";

export interface FollowOptions extends Omit<KeySetFetchOptions, "signal" | "known"> {
  /** At most so long fetched keys are used before the provider is asked again; 20 s by default. */
  readonly refreshMs?: number;
  /** The first wait after a failure; doubles up to a minute, and up to 2 s where there are no keys at all. */
  readonly retryMs?: number;
  readonly lastGood: LastGoodKeys;
  /** Called when a set can't be had, once for each reason; the last good keys stay in use for `KEEP_MS`. */
  readonly onProblem: (uri: string, problem: string) => void;
  /** Asks the provider; tests bring their own. */
  readonly fetch?: typeof fetchKeySet;
  /** Between 0 and 1; spreads the questions of many control planes. */
  readonly random?: () => number;
}

/** With an answer that takes as long as it may, 5 s, a new key counts and a withdrawn one is gone within half a minute. Istio has 20 minutes. */
const REFRESH_MS = 20_000;
const RETRY_MS = 250;
/** Not longer than between two questions when all is well: the first new key after an outage counts as soon. */
const MAX_RETRY_MS = 20_000;
/** Every token is refused meanwhile, and a provider often starts with us. */
const MAX_RETRY_WITHOUT_KEYS_MS = 2_000;
/** Keys of a provider that can't be reached are trusted this long; then its tokens are refused. */
const KEEP_MS = 24 * 3_600_000;
/** Keys that don't change are written this often, so that the store knows that they are still good. */
const REWRITE_MS = 3_600_000;

/** The keys behind one `jwksUri`: first those that an earlier process had, then what the provider answers, again and again. */
export class FollowedKeySet {
  /** Resolves when the last good keys are in use, where there are any. */
  readonly recalled: Promise<void>;
  readonly #uri: string;
  readonly #options: FollowOptions;
  readonly #onChange: () => void;
  readonly #fetchText: typeof fetchKeySet;
  readonly #abort = new AbortController();
  #resource: LocatedResource<KeySetBody> | undefined;
  /** Milliseconds since 1970: it outlives the process. */
  #fetchedAt = 0;
  /** What the store has. */
  #kept: KeptKeys | undefined;
  /** The version of the last answer, as the provider calls it. */
  #version: string | undefined;
  #retryMs: number;
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(uri: string, options: FollowOptions, onChange: () => void) {
    this.#uri = uri;
    this.#options = options;
    this.#onChange = onChange;
    this.#fetchText = options.fetch ?? fetchKeySet;
    this.#retryMs = this.#firstRetryMs;
    this.recalled = this.#recall();
    void this.recalled.then(() => this.#refresh());
  }

  get resource(): LocatedResource<KeySetBody> | undefined {
    return this.#resource;
  }

  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  get #firstRetryMs(): number {
    return this.#options.retryMs ?? RETRY_MS;
  }

  async #recall(): Promise<void> {
    try {
      const kept = await this.#options.lastGood.read(this.#uri);
      if (kept !== undefined && Date.now() - kept.fetchedAt < KEEP_MS) this.#use((this.#kept = kept));
    } catch (error) {
      this.#options.onProblem(this.#uri, MeshError.from(error, "io").message);
    }
  }

  async #refresh(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    try {
      const keys = await this.#fetch();
      this.#retryMs = this.#firstRetryMs;
      this.#problem = undefined;
      this.#use(keys);
      this.#refreshIn((this.#options.refreshMs ?? REFRESH_MS) * (1 - 0.2 * (this.#options.random ?? Math.random)()));
      await this.#keep(keys);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#fail(MeshError.from(error, "network").message);
    }
  }

  async #fetch(): Promise<KeptKeys> {
    const current = this.#resource?.body.jwks;
    const known = current === undefined || this.#version === undefined ? {} : { known: this.#version };
    const answer = await this.#fetchText(this.#uri, { ...this.#options, ...known, signal: this.#abort.signal });
    if (answer === "unchanged" && current !== undefined) return { jwks: current, fetchedAt: Date.now() };
    const read = readKeySet(answer === "unchanged" ? "" : answer.text);
    if (!read.ok) throw new MeshError("protocol", `${this.#uri}: ${read.problem}`);
    this.#version = answer === "unchanged" ? undefined : answer.version;
    return { jwks: read.jwks, fetchedAt: Date.now() };
  }

  async #keep(keys: KeptKeys): Promise<void> {
    if (this.#kept?.jwks === keys.jwks && Math.abs(keys.fetchedAt - this.#kept.fetchedAt) < REWRITE_MS) return;
    try {
      await this.#options.lastGood.write(this.#uri, keys);
      this.#kept = keys;
    } catch (error) {
      this.#options.onProblem(this.#uri, MeshError.from(error, "io").message);
    }
  }

  #use({ jwks, fetchedAt }: KeptKeys): void {
    if (this.#abort.signal.aborted) return;
    this.#fetchedAt = fetchedAt;
    if (this.#resource?.body.jwks === jwks) return;
    this.#resource = toResource(this.#uri, jwks);
    this.#onChange();
  }

  #fail(problem: string): void {
    if (problem !== this.#problem) this.#options.onProblem(this.#uri, problem);
    this.#problem = problem;
    if (this.#resource !== undefined && Date.now() - this.#fetchedAt >= KEEP_MS) {
      this.#resource = undefined;
      this.#onChange();
    }
    this.#refreshIn(this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, this.#resource === undefined ? MAX_RETRY_WITHOUT_KEYS_MS : MAX_RETRY_MS);
  }

  #refreshIn(waitMs: number): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#refresh(), waitMs);
    this.#timer.unref();
  }
}

function toResource(uri: string, jwks: string): LocatedResource<KeySetBody> {
  return {
    apiVersion: "kumiko.dev/v1alpha1",
    kind: KEY_SET_KIND,
    metadata: { name: uri, namespace: "", labels: {}, annotations: {} },
    body: { uri, jwks },
    hash: createHash("sha256").update(uri).update("\0").update(jwks).digest("hex"),
    locate: () => ({ file: uri, line: 1, column: 1 }),
  };
}
