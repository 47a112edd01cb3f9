/** Kind `JsonWebKeySet`: the keys of one `jwksUri` as an edge fetched them. Its resource's name is the uri. */
export const KEY_SET_KIND = "JsonWebKeySet";

export interface KeySetBody {
  readonly uri: string;
  /** A JWK Set (RFC 7517) of public keys only, as text. */
  readonly jwks: string;
}

export type KeySet = { readonly ok: true; readonly jwks: string; readonly keys: number } | { readonly ok: false; readonly problem: string };

/** Members that make a key private or symmetric (RFC 7518, section 6). */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const PUBLIC_TYPES = new Set(["RSA", "EC", "OKP"]);

/**
 * Reads a JWK Set and keeps its public RSA, EC and OKP keys, without their private members. Envoy rejects a whole listener for a set that it
 * can't read or that is empty, so both are problems here. A captive portal's HTML page is "not JSON".
 */
export function readKeySet(text: string): KeySet {
  const keys = parseKeys(text);
  if (typeof keys === "string") return { ok: false, problem: keys };
  const usable = keys.filter((key) => PUBLIC_TYPES.has(String(key["kty"])) && (key["use"] === undefined || key["use"] === "sig"));
  if (usable.length === 0) return { ok: false, problem: "no public RSA, EC or OKP key for signatures in it" };
  const publicKeys = usable.map((key) => Object.fromEntries(Object.entries(key).filter(([member]) => !PRIVATE_MEMBERS.includes(member))));
  return { ok: true, jwks: JSON.stringify({ keys: publicKeys }), keys: publicKeys.length };
}

function parseKeys(text: string): readonly Readonly<Record<string, unknown>>[] | string {
  try {
    const set: unknown = JSON.parse(text);
    const keys = typeof set === "object" && set !== null && "keys" in set ? set.keys : undefined;
    if (!Array.isArray(keys)) return 'not a JWK Set: no "keys" array';
    return keys.filter((key) => typeof key === "object" && key !== null);
  } catch {
    return "not JSON";
  }
}
