import type { TokenSpec } from "../document.ts";
import { TestIssuers, verifyToken } from "../issuers.ts";

type Verified = ReturnType<typeof verifyToken>;

/** Signs each token of a test once, so that a call sends the same request to every mutant, and verifies it once by each set of keys. */
export class RememberedTokens extends TestIssuers {
  readonly #signed = new Map<TokenSpec, string>();
  readonly #verified = new Map<string, Map<string, Verified>>();

  override sign(token: TokenSpec, nowMs: number): string {
    const known = this.#signed.get(token);
    if (known !== undefined) return known;
    const signed = super.sign(token, nowMs);
    this.#signed.set(token, signed);
    return signed;
  }

  verify(jwks: string, token: string): Verified {
    const byToken = this.#verified.get(jwks) ?? new Map<string, Verified>();
    this.#verified.set(jwks, byToken);
    const known = byToken.get(token);
    if (known !== undefined) return known;
    const verified = verifyToken(jwks, token);
    byToken.set(token, verified);
    return verified;
  }
}
