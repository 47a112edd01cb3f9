import { createHash, randomBytes, timingSafeEqual, X509Certificate } from "node:crypto";
import { MeshError } from "../model/error.ts";
import { formatIdentity, type Identity, parseIdentity } from "../model/identity.ts";
import { GuessLimit } from "./guess-limit.ts";

/** What is kept of a token: never the token. */
export interface JoinTokenRecord {
  /** SHA-256 of the secret part, hexadecimal. */
  readonly hash: string;
  /** The SPIFFE id that the token stands for. */
  readonly identity: string;
  readonly expiresAtMs: number;
}

/** Where the records lie; `take` removes what it returns, in one step, so that two callers never get the same record. */
export interface JoinTokenStore {
  put(id: string, record: JoinTokenRecord): Promise<void> | void;
  take(id: string): Promise<JoinTokenRecord | undefined> | JoinTokenRecord | undefined;
}

export interface JoinTokens {
  /** Makes a token for one identity. @throws MeshError `usage` for an identity that is none. */
  create(request: { readonly identity: Identity; readonly ttlMs?: number }): Promise<{ token: string; expiresAtMs: number }>;
  /** The identity of a token, once; undefined for every other text. `from` is the peer's address, whose wrong guesses are counted. */
  redeem(token: string, from: string): Promise<Identity | undefined>;
}

export const MAX_JOIN_TOKEN_MS = 600_000;

const PREFIX = "kumiko-join";
const SHAPE = /^kumiko-join\.([A-Za-z0-9_-]{12})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})$/;

/**
 * Join tokens: one use, ten minutes at most, bound to one identity, kept as a hash. A token carries the SHA-256 of the root certificate,
 * so that an agent that has nothing but the token knows whom to trust.
 */
export function createJoinTokens(settings: {
  readonly store: JoinTokenStore;
  /** PEM; the first root is the one that tokens pin. */
  readonly rootsPem: string;
  readonly now?: () => number;
}): JoinTokens {
  const now = settings.now ?? Date.now;
  const limit = new GuessLimit(now);
  const pin = rootPin(settings.rootsPem);
  return {
    async create({ identity, ttlMs = MAX_JOIN_TOKEN_MS }) {
      const uri = formatIdentity(identity);
      if (parseIdentity(uri) === undefined) throw new MeshError("usage", "a join token needs a namespace and a service account");
      const id = randomBytes(9).toString("base64url");
      const secret = randomBytes(32).toString("base64url");
      const expiresAtMs = now() + (ttlMs > 0 ? Math.min(ttlMs, MAX_JOIN_TOKEN_MS) : MAX_JOIN_TOKEN_MS);
      await settings.store.put(id, { hash: hashOf(secret), identity: uri, expiresAtMs });
      return { token: `${PREFIX}.${id}.${secret}.${pin}`, expiresAtMs };
    },
    async redeem(token, from) {
      if (!limit.mayTry(from)) return undefined;
      const [, id, secret] = (token.length > 200 ? null : SHAPE.exec(token)) ?? [];
      const record = id === undefined ? undefined : await settings.store.take(id);
      if (record !== undefined && secret !== undefined && isRight(record, secret) && now() < record.expiresAtMs) {
        return parseIdentity(record.identity);
      }
      limit.countWrong(from);
      return undefined;
    },
  };
}

/** SHA-256 of the first certificate's DER, hexadecimal. */
export function rootPin(rootsPem: string): string {
  return createHash("sha256").update(new X509Certificate(rootsPem).raw).digest("hex");
}

/** A store in memory, for one control plane; tokens are gone when it ends. Holds at most 10,000; expired ones go first. */
export function createMemoryTokenStore(now: () => number = Date.now): JoinTokenStore {
  const records = new Map<string, JoinTokenRecord>();
  return {
    put(id, record) {
      for (const [old, { expiresAtMs }] of records) {
        if (expiresAtMs <= now()) records.delete(old);
      }
      if (records.size >= 10_000) throw new MeshError("refused", "too many join tokens are open", { help: "wait ten minutes" });
      records.set(id, record);
    },
    take(id) {
      const record = records.get(id);
      records.delete(id);
      return record;
    },
  };
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function isRight(record: JoinTokenRecord, secret: string): boolean {
  const wanted = Buffer.from(record.hash, "hex");
  const given = Buffer.from(hashOf(secret), "hex");
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
