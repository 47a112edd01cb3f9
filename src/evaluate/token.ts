import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { JwtProvider } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { decodeBase64Url } from "./base64url.ts";
import type { MeshView } from "./decision.ts";
import { Undecidable } from "./undecidable.ts";

export type TokenStatus =
  | "ok"
  | "missing"
  | "unknown-issuer"
  | "bad-sections"
  | "bad-format"
  | "not-yet-valid"
  | "expired"
  | "audience"
  | "bad-signature";

export interface Token {
  readonly text: string;
  readonly payload: JsonObject;
  readonly algorithm: string;
}

const LONGEST = 65_536;
const DEFAULT_SKEW_S = 60;
const ALGORITHMS = new Set([
  "ES256",
  "ES384",
  "ES512",
  "HS256",
  "HS384",
  "HS512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "EdDSA",
]);

/** Undefined for what is no token at all; signature and claims are not looked at. */
export function readToken(text: string): Token | undefined {
  const parts = text.split(".");
  if (text.length > LONGEST || parts.length !== 3) return undefined;
  const [header, payload] = parts.slice(0, 2).map(readObject);
  if (header === undefined || payload === undefined || !ALGORITHMS.has(String(header["alg"]))) return undefined;
  if (decodeBase64Url(parts[2] ?? "") === undefined && !/^[A-Za-z0-9\-_]+$/.test(parts[2] ?? "")) return undefined;
  for (const claim of ["iss", "sub"]) if (payload[claim] !== undefined && typeof payload[claim] !== "string") return undefined;
  for (const claim of ["exp", "nbf", "iat"]) if (payload[claim] !== undefined && typeof payload[claim] !== "number") return undefined;
  return { text, payload, algorithm: String(header["alg"]) };
}

/** None of them empty, and nothing in them that no token has. */
export function hasThreeParts(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
}

function readObject(part: string): JsonObject | undefined {
  const text = decodeBase64Url(part);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as JsonValue;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Envoy's order: time, audience, then the signature. */
export function checkToken({ text, payload, algorithm }: Token, provider: JwtProvider, nowMs: number, view: MeshView): TokenStatus {
  if (provider.subjects !== undefined || provider.requireExpiration || provider.maxLifetime !== undefined)
    throw new Undecidable("a token provider's subjects or lifetimes");
  if (provider.issuer !== "" && payload["iss"] !== provider.issuer) return "unknown-issuer";
  const nowS = Math.floor(nowMs / 1000);
  const skew = provider.clockSkewSeconds === 0 ? DEFAULT_SKEW_S : provider.clockSkewSeconds;
  if (typeof payload["nbf"] === "number" && payload["nbf"] > nowS + skew) return "not-yet-valid";
  if (typeof payload["exp"] === "number" && payload["exp"] !== 0 && nowS > payload["exp"] + skew) return "expired";
  if (!isForAudience(payload["aud"], provider.audiences)) return "audience";
  const source = provider.jwksSourceSpecifier;
  if (source.case !== "localJwks" || source.value.specifier.case !== "inlineString") throw new Undecidable("keys that the proxy fetches");
  const keys = source.value.specifier.value;
  return hasKeyFor(keys, algorithm) ? view.verifyToken(keys, text) : "bad-signature";
}

const KEY_TYPE: Readonly<Record<string, string>> = { HS: "oct", RS: "RSA", PS: "RSA", ES: "EC", Ed: "OKP" };

/** A token must not choose an algorithm that its issuer's keys aren't for. */
function hasKeyFor(keySet: string, algorithm: string): boolean {
  try {
    const { keys } = JSON.parse(keySet) as { readonly keys?: readonly { readonly kty?: string; readonly alg?: string }[] };
    return (keys ?? []).some(({ kty, alg }) => kty === KEY_TYPE[algorithm.slice(0, 2)] && (alg === undefined || alg === algorithm));
  } catch {
    return false;
  }
}

/** Scheme and final slash don't count (Envoy's rule). */
function isForAudience(claimed: JsonValue | undefined, wanted: readonly string[]): boolean {
  if (wanted.length === 0) return true;
  const plain = (audience: string) => audience.replace(/^https?:\/\//, "").replace(/\/$/, "");
  const allowed = new Set(wanted.map(plain));
  const list = typeof claimed === "string" ? [claimed] : Array.isArray(claimed) ? claimed.filter((one) => typeof one === "string") : [];
  return list.some((audience) => allowed.has(plain(audience)));
}
