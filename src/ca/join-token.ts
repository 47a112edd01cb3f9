import { createHash, randomBytes, timingSafeEqual, X509Certificate } from "node:crypto";
import { MeshError } from "../model/error.ts";
import { formatIdentity, type Identity, isControlPlane, parseIdentity } from "../model/identity.ts";
import type { Entry, Store, StoreKey, Write } from "../store/store.ts";
import type { Grant } from "./authenticate.ts";
import { GuessLimit } from "./guess-limit.ts";

/** What is kept of a token: never the token. */
interface JoinTokenRecord {
  /** SHA-256 of the secret part, hexadecimal. */
  readonly hash: string;
  /** The SPIFFE id that the token stands for. */
  readonly identity: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly registers?: Registration;
  /** SHA-256 of the public key that the token was used for, hexadecimal; absent while it is unused. */
  readonly key?: string;
}

/** A resource that is written when the token is used, unless it is there by then: the workload that the token's maker describes. */
export interface Registration {
  readonly key: StoreKey;
  readonly value: unknown;
}

export interface JoinTokens {
  /** Makes a token for one identity. @throws MeshError `usage` for one that no workload may have, `refused` while too many are open. */
  create(request: {
    readonly identity: Identity;
    readonly ttlMs?: number;
    readonly registers?: Registration;
  }): Promise<{ token: string; expiresAtMs: number }>;
  /**
   * What a token grants; every other text is refused. `from` is the peer's address: who sends too many wrong ones is told to wait, but a
   * right one is never turned away for it.
   */
  redeem(token: string, from: string): Promise<Grant | "wrong" | "too-many-wrong">;
}

export const MAX_JOIN_TOKEN_MS = 600_000;

const PREFIX = "kumiko-join";
const SHAPE = /^kumiko-join\.([A-Za-z0-9_-]{12})\.([A-Za-z0-9_-]{43})\.[0-9a-f]{64}$/;
const KIND = "JoinToken";
const MAX_OPEN = 10_000;

/**
 * Join tokens: one use, ten minutes at most, bound to one identity, kept as a hash in the store. One use means one key: whose answer was
 * lost, or who could not use it, may ask again with the same key as long as the token lives. A token carries the SHA-256 of the root
 * certificate, so that an agent that has nothing but the token knows whom to trust.
 */
export function createJoinTokens(settings: {
  readonly store: Store;
  /** PEM; the first root is the one that tokens pin. */
  readonly rootsPem: string;
  readonly now?: () => number;
  /** Milliseconds that only grow. */
  readonly uptime?: () => number;
}): JoinTokens {
  const { store, now = Date.now, uptime = () => performance.now() } = settings;
  /** When tokens of this process end by the clock that can't be set: a step of the other one neither ends a token nor makes it live longer. */
  const ends = new Map<string, number>();
  const isOpen = (id: string, record: JoinTokenRecord): boolean => {
    const end = ends.get(id);
    return end === undefined ? isOpenByWallClock(record, now()) : uptime() < end;
  };
  const limit = new GuessLimit(now);
  const pin = rootPin(settings.rootsPem);
  return {
    async create({ identity, ttlMs = MAX_JOIN_TOKEN_MS, registers }) {
      const uri = formatIdentity(identity);
      if (parseIdentity(uri) === undefined) throw new MeshError("usage", "a join token needs a namespace and a service account");
      if (isControlPlane(identity)) throw new MeshError("usage", `${uri} is the control plane's own identity, which no workload may have`);
      for (const over of await makeRoom(store, isOpen)) ends.delete(over);
      const [id, secret] = [randomBytes(9).toString("base64url"), randomBytes(32).toString("base64url")];
      const createdAtMs = now();
      const expiresAtMs = createdAtMs + (ttlMs > 0 ? Math.min(ttlMs, MAX_JOIN_TOKEN_MS) : MAX_JOIN_TOKEN_MS);
      const record: JoinTokenRecord = { hash: hashOf(secret), identity: uri, createdAtMs, expiresAtMs, ...(registers && { registers }) };
      await store.put(keyOf(id), record, { expectedRevision: 0 });
      ends.set(id, uptime() + expiresAtMs - createdAtMs);
      return { token: `${PREFIX}.${id}.${secret}.${pin}`, expiresAtMs };
    },
    async redeem(token, from) {
      const [, id, secret] = (token.length > 200 ? null : SHAPE.exec(token)) ?? [];
      const record = id === undefined ? undefined : readRecord(await store.get(keyOf(id)));
      const identity = record === undefined ? undefined : parseIdentity(record.identity);
      if (id !== undefined && secret !== undefined && record !== undefined && identity !== undefined) {
        if (isRight(record, secret) && isOpen(id, record)) return { identity, claim: (publicKey) => claim(store, id, publicKey) };
      }
      return limit.countWrong(from) ? "wrong" : "too-many-wrong";
    },
  };
}

/** SHA-256 of the first certificate's DER, hexadecimal. */
export function rootPin(rootsPem: string): string {
  return createHash("sha256").update(new X509Certificate(rootsPem).raw).digest("hex");
}

/** Gives a token to the holder of a key, in one transaction with what the token registers; false where another one has it. */
async function claim(store: Store, id: string, publicKey: Uint8Array): Promise<boolean> {
  const key = createHash("sha256").update(publicKey).digest("hex");
  const entry = await store.get(keyOf(id));
  const record = readRecord(entry);
  if (entry === undefined || record === undefined) return false;
  if (record.key !== undefined) return record.key === key;
  const use: Write = { kind: "put", key: keyOf(id), value: { ...record, key }, expectedRevision: entry.revision };
  const { registers } = record;
  const register: Write[] = registers === undefined ? [] : [{ kind: "put", ...registers, expectedRevision: 0 }];
  const written = await store.transaction([use, ...register]);
  if (written.kind === "written") return true;
  // Whoever declared the workload meanwhile has said what it is.
  if (written.key.kind !== KIND) return (await store.transaction([use])).kind === "written";
  return readRecord(written.current)?.key === key;
}

/** Takes away what has expired, and says which. @throws MeshError `refused` where too many are left. */
async function makeRoom(store: Store, isOpen: (id: string, record: JoinTokenRecord) => boolean): Promise<readonly string[]> {
  const { entries } = await store.list({ kind: KIND });
  const isOver = (entry: Entry): boolean => {
    const record = readRecord(entry);
    return record === undefined || !isOpen(entry.key.name, record);
  };
  const over = entries.filter(isOver);
  if (over.length > 0) await store.transaction(over.map(({ key }): Write => ({ kind: "delete", key })));
  if (entries.length - over.length >= MAX_OPEN) {
    throw new MeshError("refused", "too many join tokens are open", { help: "wait ten minutes" });
  }
  return over.map(({ key }) => key.name);
}

function keyOf(id: string): StoreKey {
  return { kind: KIND, namespace: "", name: id };
}

function readRecord(entry: Entry | undefined): JoinTokenRecord | undefined {
  const record = entry?.value as Partial<JoinTokenRecord> | null | undefined;
  const { hash, identity, createdAtMs, expiresAtMs } = record ?? {};
  const isRecord = [hash, identity].every((text) => typeof text === "string") && [createdAtMs, expiresAtMs].every(Number.isFinite);
  return isRecord ? (record as JoinTokenRecord) : undefined;
}

/** For a token of an earlier process. A clock that went back by more than a token may live must not make it live longer. */
function isOpenByWallClock({ createdAtMs, expiresAtMs }: JoinTokenRecord, nowMs: number): boolean {
  return nowMs < expiresAtMs && nowMs > createdAtMs - MAX_JOIN_TOKEN_MS;
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function isRight(record: JoinTokenRecord, secret: string): boolean {
  const wanted = Buffer.from(record.hash, "hex");
  const given = Buffer.from(hashOf(secret), "hex");
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
