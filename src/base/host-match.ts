/**
 * Host patterns of Istio's resources: `users.shop.svc.cluster.local`, `*.example.com`, `*`. Hosts compare without regard to case (RFC 4343).
 * `*.example.com` stands for any name below example.com, of one label or more, and not for example.com itself.
 */
export function isWildcardHost(host: string): boolean {
  return host === "*" || host.startsWith("*.");
}

/** Whether `pattern` covers all of `host`; `host` may be a pattern too: `*.com` covers `*.example.com`. */
export function hostMatches(pattern: string, host: string): boolean {
  const wide = pattern.toLowerCase();
  const narrow = host.toLowerCase();
  if (wide === "*" || wide === narrow) return true;
  if (!wide.startsWith("*.")) return false;
  const suffix = wide.slice(1);
  return narrow.length > suffix.length && narrow.endsWith(suffix);
}

/** Whether some name is covered by both. */
export function hostsIntersect(one: string, other: string): boolean {
  return hostMatches(one, other) || hostMatches(other, one);
}

/** The narrower of two patterns that intersect; undefined where no name is covered by both. */
export function intersectHosts(one: string, other: string): string | undefined {
  if (hostMatches(one, other)) return other;
  return hostMatches(other, one) ? one : undefined;
}

/** Sorts the most specific first, as Istio does: names before wildcards, longer wildcards before shorter, `*` last; else by the alphabet. */
export function compareHostSpecificity(one: string, other: string): number {
  const byRank = breadth(one) - breadth(other);
  if (byRank !== 0) return byRank;
  if (breadth(one) === 1 && one.length !== other.length) return other.length - one.length;
  return one < other ? -1 : one > other ? 1 : 0;
}

function breadth(host: string): 0 | 1 | 2 {
  if (host === "*") return 2;
  return host.startsWith("*") ? 1 : 0;
}

/** The most specific of `patterns` that covers `host`. For one look-up; a `HostTable` for many. */
export function findMostSpecificHost(host: string, patterns: Iterable<string>): string | undefined {
  let best: string | undefined;
  for (const pattern of patterns) {
    if (hostMatches(pattern, host) && (best === undefined || compareHostSpecificity(pattern, best) < 0)) best = pattern;
  }
  return best;
}

/** Values by host pattern; a look-up costs one step for each label of the name, however many patterns there are. */
export class HostTable<Value> {
  readonly #byPattern: ReadonlyMap<string, Value>;

  /** The first of two equal patterns wins. */
  constructor(entries: Iterable<readonly [pattern: string, value: Value]>) {
    const table = new Map<string, Value>();
    for (const [pattern, value] of entries) {
      const key = pattern.toLowerCase();
      if (!table.has(key)) table.set(key, value);
    }
    this.#byPattern = table;
  }

  /** The value of the most specific pattern that covers `host` (a name or itself a pattern). */
  find(host: string): Value | undefined {
    for (const pattern of coveringPatterns(host.toLowerCase())) {
      const found = this.#byPattern.get(pattern);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function* coveringPatterns(host: string): Generator<string> {
  yield host;
  for (let dot = host.indexOf(".", 1); dot !== -1; dot = host.indexOf(".", dot + 1)) {
    const pattern = `*${host.slice(dot)}`;
    if (pattern !== host) yield pattern;
  }
  if (host !== "*") yield "*";
}
