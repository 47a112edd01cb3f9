import { parse } from "yaml";

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

function isPlain(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
