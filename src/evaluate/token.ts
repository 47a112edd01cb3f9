import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { JwtProvider } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { decodeBase64Url } from "./base64url.ts";
import type { MeshView } from "./decision.ts";
import { Undecidable } from "./undecidable.ts";

export type TokenStatus =
  | "ok"
  | "missing"
  | "unknown-issuer"
  | "bad-format"
  | "not-yet-valid"
  | "expired"
  | "audience"
  | "no-key"
  | "bad-signature";

export interface Token {
  readonly text: string;
  readonly payload: JsonObject;
  readonly algorithm: string;
  /** "" for none. */
  readonly keyId: string;
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

/** A token, or, in the words of Envoy's JWT library, why this is none. Signature and time are not looked at. */
export function readToken(text: string): Token | { readonly trouble: string } {
  const [head = "", body = "", signed = ""] = text.split(".");
  if (text.length > LONGEST || text.split(".").length !== 3 || head === "" || body === "" || signed === "")
    return { trouble: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections" };
  const [header, payload] = [readObject(head), readObject(body)];
  if (typeof header === "string") return { trouble: `Jwt header is ${header}` };
  const { alg, kid } = header;
  if (typeof alg !== "string" || !ALGORITHMS.has(alg)) return { trouble: "Jwt header [alg] is not supported" };
  if (typeof payload === "string") return { trouble: `Jwt payload is ${payload}` };
  for (const claim of ["iss", "sub"])
    if (payload[claim] !== undefined && typeof payload[claim] !== "string")
      return { trouble: `Jwt payload [${claim}] field is not a string` };
  for (const claim of ["iat", "nbf", "exp"])
    if (payload[claim] !== undefined && typeof payload[claim] !== "number")
      return { trouble: `Jwt payload [${claim}] field is not an integer` };
  // What stands behind a blank is passed over.
  if (!isBase64Url(signed.split(" ")[0] ?? "")) return { trouble: "Jwt signature is an invalid Base64url encoded" };
  return { text: text.split(" ")[0] ?? text, payload, algorithm: alg, keyId: typeof kid === "string" ? kid : "" };
}

/** In words what is wrong with it. */
function readObject(part: string): JsonObject | string {
  const text = decodeBase64Url(part);
  if (text === undefined && !isBase64Url(part)) return "an invalid Base64url encoded";
  try {
    const value = JSON.parse(text ?? "") as JsonValue;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : "an invalid JSON";
  } catch {
    return "an invalid JSON";
  }
}

function isBase64Url(text: string): boolean {
  return text.length % 4 !== 1 && /^[\w-]*$/.test(text);
}

/** Envoy's order: time, audience, then the signature. */
export function checkToken(token: Token, provider: JwtProvider, nowMs: number, view: MeshView): TokenStatus {
  const { text, payload } = token;
  if (provider.subjects !== undefined || provider.requireExpiration || provider.maxLifetime !== undefined)
    throw new Undecidable("a token provider's subjects or lifetimes");
  const nowS = Math.floor(nowMs / 1000);
  const skew = provider.clockSkewSeconds === 0 ? DEFAULT_SKEW_S : provider.clockSkewSeconds;
  if (typeof payload["nbf"] === "number" && payload["nbf"] > nowS + skew) return "not-yet-valid";
  if (typeof payload["exp"] === "number" && payload["exp"] !== 0 && nowS > payload["exp"] + skew) return "expired";
  if (!isForAudience(payload["aud"], provider.audiences)) return "audience";
  const source = provider.jwksSourceSpecifier;
  if (source.case !== "localJwks" || source.value.specifier.case !== "inlineString") throw new Undecidable("keys that the proxy fetches");
  const keys = source.value.specifier.value;
  return hasKeyFor(keys, token) ? view.verifyToken(keys, text) : "no-key";
}

const KEY_TYPE: Readonly<Record<string, string>> = { HS: "oct", RS: "RSA", PS: "RSA", ES: "EC", Ed: "OKP" };

/** A token must not choose an algorithm that its issuer's keys aren't for. */
function hasKeyFor(keySet: string, { algorithm, keyId }: Token): boolean {
  try {
    const { keys } = JSON.parse(keySet) as { readonly keys?: readonly { readonly [name in "kty" | "alg" | "kid"]?: string }[] };
    return (keys ?? []).some(
      ({ kty, alg, kid = "" }) =>
        kty === KEY_TYPE[algorithm.slice(0, 2)] &&
        (alg === undefined || alg === algorithm) &&
        (keyId === "" || kid === "" || kid === keyId),
    );
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
