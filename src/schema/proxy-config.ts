import { parse } from "yaml";
import { parseDuration } from "../base/duration.ts";

/** Istio's annotation of a Pod: a ProxyConfig as YAML, over the mesh's `defaultConfig`. */
export const PROXY_CONFIG = "proxy.istio.io/config";
/** Enough for a certificate or two; it bounds what the reading costs. */
const LONGEST = 16_384;

type Fields = Readonly<Record<string, unknown>>;

/** The fields of a ProxyConfig (istio.mesh.v1alpha1) as they are written, `snake_case` as `camelCase`; or what is wrong with the text. */
export function parseProxyConfig(text: string): { readonly fields: Fields } | { readonly problem: string } {
  if (text.length > LONGEST) return { problem: `is longer than ${LONGEST} characters` };
  try {
    const options = { version: "1.2", schema: "core", resolveKnownTags: false, uniqueKeys: false, logLevel: "error" } as const;
    const value: unknown = parse(text, options) ?? {};
    return isPlain(value) ? { fields: fieldsOf(value) } : { problem: "is no YAML object" };
  } catch (error) {
    const [reason] = String((error as Error).message).split("\n");
    return { problem: `is no YAML: ${reason}` };
  }
}

/** The fields of a part; empty where it is no object. */
export function fieldsOf(value: unknown): Fields {
  if (!isPlain(value)) return {};
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), field]),
  );
}

/** A whole number of 32 bits, also in quotes, as Istio reads it; undefined for anything else. */
export function readCount(value: unknown): number | undefined {
  const count = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof count === "number" && Number.isInteger(count) && count >= 0 && count < 2 ** 32 ? count : undefined;
}

/**
 * How many hops in front of a gateway are trusted. The Pod's `gatewayTopology` counts as a whole in place of the mesh's, as where Istio merges
 * them: one that doesn't name the number trusts nobody.
 */
export function trustedProxiesOf(annotations: Readonly<Record<string, string>>, ofMesh: number): number {
  const text = annotations[PROXY_CONFIG];
  const read = text === undefined ? undefined : parseProxyConfig(text);
  const topology = read !== undefined && "fields" in read ? read.fields["gatewayTopology"] : undefined;
  if (topology === undefined || topology === null) return ofMesh;
  return readCount(fieldsOf(topology)["numTrustedProxies"]) ?? 0;
}

/** How a proxy ends, as Istio's agent ends it. */
export interface ProxyTermination {
  /** `terminationDrainDuration`: how long open connections may go on. */
  readonly drainMs: number;
  /** `EXIT_ON_ZERO_ACTIVE_CONNECTIONS`: instead, until none is open, `MINIMUM_DRAIN_DURATION` at least. */
  readonly untilZero?: { readonly atLeastMs: number };
}

/** Istio's default for both durations. */
const DRAIN_MS = 5000;

const EXIT_ON_ZERO = "EXIT_ON_ZERO_ACTIVE_CONNECTIONS";
const MINIMUM_DRAIN = "MINIMUM_DRAIN_DURATION";
/** The entries of `proxyMetadata` that have an effect: what Istio's agent reads when its proxy ends. */
export const HONOURED_METADATA: readonly string[] = [EXIT_ON_ZERO, MINIMUM_DRAIN];

/**
 * How a Pod's proxy ends: what its annotation says over what the mesh's `defaultConfig` says, `proxyMetadata` entry by entry. What can't be
 * read counts as not said.
 */
export function terminationOf(annotations: Readonly<Record<string, string>>, ofMesh: unknown): ProxyTermination {
  const text = annotations[PROXY_CONFIG];
  const read = text === undefined ? undefined : parseProxyConfig(text);
  const layers = [read !== undefined && "fields" in read ? read.fields : {}, fieldsOf(ofMesh)];
  const metadata = layers.map(({ proxyMetadata }) => (isPlain(proxyMetadata) ? proxyMetadata : {}));
  const drainMs = firstRead(layers, "terminationDrainDuration", readDuration) ?? DRAIN_MS;
  if (firstRead(metadata, EXIT_ON_ZERO, readFlag) !== true) return { drainMs };
  return { drainMs, untilZero: { atLeastMs: firstRead(metadata, MINIMUM_DRAIN, readDuration) ?? DRAIN_MS } };
}

function firstRead<T>(layers: readonly Fields[], field: string, read: (value: unknown) => T | undefined): T | undefined {
  return layers.map((layer) => read(layer[field])).find((value) => value !== undefined);
}

/** What is wrong with the fields that `terminationOf` reads, each with its path. */
export function findTerminationProblems(config: unknown): readonly { readonly path: readonly string[]; readonly problem: string }[] {
  const { terminationDrainDuration, proxyMetadata } = fieldsOf(config);
  const metadata = isPlain(proxyMetadata) ? proxyMetadata : {};
  const unreadable = (value: unknown, read: (value: unknown) => unknown) =>
    value !== undefined && value !== null && read(value) === undefined;
  return [
    ...(unreadable(terminationDrainDuration, readDuration)
      ? [{ path: ["terminationDrainDuration"], problem: "must be a duration like 5s" }]
      : []),
    ...(unreadable(metadata[EXIT_ON_ZERO], readFlag)
      ? [{ path: ["proxyMetadata", EXIT_ON_ZERO], problem: 'must be "true" or "false"' }]
      : []),
    ...(unreadable(metadata[MINIMUM_DRAIN], readDuration)
      ? [{ path: ["proxyMetadata", MINIMUM_DRAIN], problem: "must be a duration like 5s" }]
      : []),
  ];
}

function readDuration(value: unknown): number | undefined {
  return typeof value === "string" ? parseDuration(value) : undefined;
}

/** A bool of YAML, or the text that Go reads as one from the environment. */
function readFlag(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return undefined;
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(value) ? false : undefined;
}

function isPlain(value: unknown): value is Fields {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
