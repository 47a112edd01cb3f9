import { readKeySet } from "../../model/jwks.ts";

/**
 * A point of P-256 found by hashing "kumiko: no key is known #2" to an x coordinate: nobody has its private key, so no token matches it. Envoy
 * refuses a set that is empty.
 */
export const NO_KEYS = JSON.stringify({
  keys: [
    {
      kty: "EC",
      crv: "P-256",
      kid: "none",
      x: "cJViJNNxFsH5_nA3EwXAavOXPMLe5JI94Vyf1zES7RI",
      y: "4y_TxQ3b_6kpbb70e9-I5s8xx8Pz7xZOSNOS5-j605c",
    },
  ],
});

export type UsableKeys = { readonly ok: true; readonly jwks: string } | { readonly ok: false; readonly problem: string };

/** Base64url characters of a coordinate, by curve (RFC 7518, section 6.2.1.2). */
const COORDINATE: Readonly<Record<string, number>> = { "P-256": 43, "P-384": 64, "P-521": 88 };
const ED25519_LENGTH = 43;
/** 2048 bits. */
const RSA_LENGTH = 342;

/** The keys of a set that Envoy can use: one malformed key among good ones would cost it the whole set. */
export function usableKeys(text: string): UsableKeys {
  const read = readKeySet(text);
  if (!read.ok) return read;
  const { keys } = JSON.parse(read.jwks) as { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  const good = keys.filter(isWellFormed);
  return good.length === 0
    ? { ok: false, problem: "no well-formed key of 2048 bits (RSA) or of a known curve in it" }
    : { ok: true, jwks: JSON.stringify({ keys: good }) };
}

function isWellFormed(key: Readonly<Record<string, unknown>>): boolean {
  switch (key["kty"]) {
    case "RSA":
      return base64Length(key["n"]) >= RSA_LENGTH && base64Length(key["e"]) > 0;
    case "EC": {
      const length = COORDINATE[String(key["crv"])];
      return length !== undefined && base64Length(key["x"]) === length && base64Length(key["y"]) === length;
    }
    default:
      return key["crv"] === "Ed25519" && base64Length(key["x"]) === ED25519_LENGTH;
  }
}

function base64Length(value: unknown): number {
  return typeof value === "string" && /^[A-Za-z0-9_-]+$/.test(value) ? value.length : 0;
}
