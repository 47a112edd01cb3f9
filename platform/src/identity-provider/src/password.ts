import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const derive: (password: string, salt: Buffer, length: number, options: object) => Promise<Buffer> = promisify(scrypt);

/** About 50 ms and 32 MB a guess. */
const COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
const BYTES = 32;

/** A password as it is stored: salt and hash, Base64url. */
export interface StoredPassword {
  readonly salt: string;
  readonly hash: string;
}

export async function hashPassword(password: string): Promise<StoredPassword> {
  const salt = randomBytes(16);
  const hash = await derive(password.normalize("NFKC"), salt, BYTES, COST);
  return { salt: salt.toString("base64url"), hash: hash.toString("base64url") };
}

const NOBODY: StoredPassword = { salt: randomBytes(16).toString("base64url"), hash: randomBytes(BYTES).toString("base64url") };

/** False for nobody's password too, after the same time: whether an account is there can't be measured. */
export async function isPassword(password: string, stored: StoredPassword | undefined): Promise<boolean> {
  const { salt, hash } = stored ?? NOBODY;
  const given = await derive(password.normalize("NFKC"), Buffer.from(salt, "base64url"), BYTES, COST);
  return timingSafeEqual(given, Buffer.from(hash, "base64url")) && stored !== undefined;
}
