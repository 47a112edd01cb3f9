import { createHash } from "node:crypto";
import { KEY_SET_KIND, type KeySetBody, readKeySet } from "../model/jwks.ts";
import { MeshError } from "../model/error.ts";
import type { Resource } from "../model/resource.ts";
import { fetchKeySet, type KeySetFetchOptions } from "./key-set-fetch.ts";

export interface KeySetSourceOptions extends Omit<KeySetFetchOptions, "signal"> {
  /** How long fetched keys are used before they are fetched again; Istio's default is 20 minutes. */
  readonly refreshMs?: number;
  /** The first wait after a failure; doubles up to a minute. */
  readonly retryMs?: number;
  /** Called with all known sets when one of them changed. */
  readonly onChange: (keySets: readonly Resource<KeySetBody>[]) => void;
  /** Called when a set can't be had; the last good keys stay in use for `KEEP_MS`. */
  readonly onProblem: (uri: string, problem: string) => void;
}

export interface KeySetSource {
  /** The uris that policies name now; what is no longer named is forgotten. */
  setUris(uris: Iterable<string>): void;
  close(): void;
}

const REFRESH_MS = 20 * 60_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** Keys of a provider that can't be reached are trusted this long; then its tokens are refused. */
const KEEP_MS = 24 * 3_600_000;

interface Entry {
  readonly abort: AbortController;
  resource?: Resource<KeySetBody>;
  fetchedAt: number;
  retryMs: number;
  timer?: NodeJS.Timeout;
}

/** Fetches the keys behind every `jwksUri` and gives them on as resources, so that translation stays free of the network. */
export function startKeySetSource(options: KeySetSourceOptions): KeySetSource {
  const entries = new Map<string, Entry>();
  const publish = () => options.onChange([...entries.values()].flatMap(({ resource }) => resource ?? []));

  async function refresh(uri: string, entry: Entry): Promise<void> {
    try {
      const text = await fetchKeySet(uri, { ...options, signal: entry.abort.signal });
      const read = readKeySet(text);
      if (!read.ok) throw new MeshError("protocol", `${uri}: ${read.problem}`);
      entry.fetchedAt = performance.now();
      entry.retryMs = options.retryMs ?? RETRY_MS;
      if (entry.resource?.body.jwks !== read.jwks) {
        entry.resource = toResource(uri, read.jwks);
        publish();
      }
      schedule(uri, entry, options.refreshMs ?? REFRESH_MS);
    } catch (error) {
      if (entry.abort.signal.aborted) return;
      options.onProblem(uri, MeshError.from(error, "network").message);
      forgetOldKeys(entry);
      schedule(uri, entry, entry.retryMs);
      entry.retryMs = Math.min(entry.retryMs * 2, MAX_RETRY_MS);
    }
  }

  function forgetOldKeys(entry: Entry): void {
    if (entry.resource === undefined || performance.now() - entry.fetchedAt < KEEP_MS) return;
    delete entry.resource;
    publish();
  }

  function schedule(uri: string, entry: Entry, waitMs: number): void {
    entry.timer = setTimeout(() => void refresh(uri, entry), waitMs);
    entry.timer.unref();
  }

  function forget(uri: string, entry: Entry): void {
    entry.abort.abort();
    clearTimeout(entry.timer);
    entries.delete(uri);
  }

  return {
    setUris(uris) {
      const wanted = new Set(uris);
      for (const [uri, entry] of [...entries]) if (!wanted.has(uri)) forget(uri, entry);
      for (const uri of wanted) {
        if (entries.has(uri)) continue;
        const entry: Entry = { abort: new AbortController(), fetchedAt: 0, retryMs: options.retryMs ?? RETRY_MS };
        entries.set(uri, entry);
        void refresh(uri, entry);
      }
    },
    close() {
      for (const [uri, entry] of [...entries]) forget(uri, entry);
    },
  };
}

function toResource(uri: string, jwks: string): Resource<KeySetBody> {
  return {
    apiVersion: "kumiko.dev/v1alpha1",
    kind: KEY_SET_KIND,
    metadata: { name: uri, namespace: "", labels: {}, annotations: {} },
    body: { uri, jwks },
    hash: createHash("sha256").update(uri).update("\0").update(jwks).digest("hex"),
    locate: () => ({ file: uri, line: 1, column: 1 }),
  };
}
