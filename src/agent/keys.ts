import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { writePem, writeRequest } from "../base/x509/index.ts";
import { MeshError } from "../model/error.ts";
import type { Identity } from "../model/identity.ts";
import { Sealed } from "../model/sealed.ts";
import { checkCertificate } from "./certificate-check.ts";
import { writePrivately } from "./private-files.ts";

/** A key with a certificate that was checked and is valid. */
export interface WorkloadCertificate {
  readonly key: Sealed<KeyObject>;
  /** The leaf and what is between it and the root, in PEM. */
  readonly chainPem: string;
  readonly rootsPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Has a request (PEM) signed. Answers with the chain, leaf first and root last. */
export type SignRequest = (csrPem: string) => Promise<readonly string[]>;

export interface WorkloadKeysSettings {
  readonly identity: Identity;
  /** 0600; holds key and certificate, so that a new agent needs no new key. */
  readonly file: string;
  readonly sign: SignRequest;
  /** PEM of the roots that may stand behind a certificate; undefined where the control plane's word is trusted (its Unix socket). */
  readonly pinnedRootsPem?: () => string | undefined;
  /** The longest wait after a try that failed; 20 s by default. */
  readonly longestRetryMs?: number;
  /** A new certificate is there, or the last one has expired. */
  readonly onChange: () => void;
  /** A quarter of the life or less is left and it could not be renewed, each time that a try fails. */
  readonly onAlarm?: (reason: string) => void;
  readonly now?: () => number;
  /** How often the wall clock is looked at; 5 s by default. */
  readonly lookMs?: number;
  /** Between 0 and 1; spreads renewals. */
  readonly random?: () => number;
}

const FIRST_RETRY_MS = 500;
/** With a look before it, less than half a minute: so long after a clock is right again there is a certificate. */
const MAX_RETRY_MS = 20_000;
/** The wall clock is looked at this often, so that a step of it is noticed. */
const LOOK_MS = 5_000;

/**
 * The key and certificate of one workload: made here, signed by the control plane, checked, renewed at half of its life with 10 % jitter.
 * Waits by the monotonic clock and looks at the wall clock too: a step of either can only make a renewal earlier. The key is in memory and
 * in one 0600 file, nowhere else.
 */
export class WorkloadKeys {
  readonly #settings: WorkloadKeysSettings;
  readonly #now: () => number;
  #current: WorkloadCertificate | undefined;
  /** Made, and not certified yet: the next try asks for this one again, because a join token is good for one key. */
  #pending: KeyObject | undefined;
  #renewAtMs = 0;
  #renewAtMonotonicMs = 0;
  #lifeMs = Number.POSITIVE_INFINITY;
  #retryMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isRenewing = false;
  #lastError: string | undefined;

  constructor(settings: WorkloadKeysSettings) {
    this.#settings = settings;
    this.#now = settings.now ?? Date.now;
  }

  /** Undefined while there is none that is valid now. */
  get current(): WorkloadCertificate | undefined {
    const now = this.#now();
    return this.#current !== undefined && this.#current.notBeforeMs <= now && now <= this.#current.notAfterMs ? this.#current : undefined;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Takes the certificate of an earlier agent where it is still good, and keeps it fresh from now on. */
  start(): void {
    const kept = this.#readKept();
    if (kept !== undefined) this.#accept(kept);
    this.#wait(kept === undefined ? 0 : this.#untilRenewal());
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, Math.min(ms, this.#settings.lookMs ?? LOOK_MS)));
  }

  #untilRenewal(): number {
    if (this.#current !== undefined && this.#now() < this.#current.notBeforeMs) return 0;
    return Math.min(this.#renewAtMs - this.#now(), this.#renewAtMonotonicMs - performance.now());
  }

  async #look(): Promise<void> {
    if (this.#current !== undefined && this.current === undefined) this.#settings.onChange();
    const left = this.#untilRenewal();
    if (left > 0 || this.#isRenewing) return this.#wait(left);
    this.#isRenewing = true;
    try {
      await this.#renew();
      this.#retryMs = 0;
      this.#lastError = undefined;
    } catch (thrown) {
      this.#noteFailure(MeshError.from(thrown, "network").message);
    } finally {
      this.#isRenewing = false;
    }
    this.#wait(Math.max(this.#retryMs, this.#untilRenewal()));
  }

  #noteFailure(reason: string): void {
    this.#lastError = reason;
    const life = this.#lifeMs;
    const longest = Math.min(this.#settings.longestRetryMs ?? MAX_RETRY_MS, life / 10);
    this.#retryMs = Math.min(longest, this.#retryMs === 0 ? FIRST_RETRY_MS : this.#retryMs * 2) * (0.8 + 0.4 * this.#random());
    const left = (this.#current?.notAfterMs ?? 0) - this.#now();
    if (this.#current !== undefined && left <= life / 4) this.#settings.onAlarm?.(reason);
    this.#settings.onChange();
  }

  async #renew(): Promise<void> {
    const key = this.#pendingKey();
    const chainPem = await this.#settings.sign(writePem(makeRequest(key), "CERTIFICATE REQUEST"));
    if (this.#isClosed) return;
    const made = this.#check(key, chainPem);
    this.#keep(key, chainPem);
    this.#pending = undefined;
    this.#accept(made);
    this.#settings.onChange();
  }

  #pendingKey(): KeyObject {
    if (this.#pending !== undefined) return this.#pending;
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    // The key of a certificate that is still good must not be lost to one that isn't there yet.
    if (this.#current === undefined) this.#keep(privateKey, []);
    this.#pending = privateKey;
    return privateKey;
  }

  /** @throws MeshError `refused`: such a certificate never gets to Envoy. */
  #check(key: KeyObject, chainPem: readonly string[]): WorkloadCertificate {
    const rootsPem = this.#settings.pinnedRootsPem?.() ?? chainPem.at(-1) ?? "";
    const checked = checkCertificate({ chainPem, rootsPem, key, identity: this.#settings.identity, nowMs: this.#now() });
    if (!checked.ok) throw new MeshError("refused", `the control plane's certificate can't be used: ${checked.reason}`);
    const { notBeforeMs, notAfterMs } = checked;
    return { key: new Sealed(key), chainPem: chainPem.slice(0, -1).join(""), rootsPem, notBeforeMs, notAfterMs };
  }

  #accept(certificate: WorkloadCertificate): void {
    this.#current = certificate;
    const left = certificate.notAfterMs - this.#now();
    this.#lifeMs = left;
    const wait = left * (0.5 + 0.1 * (2 * this.#random() - 1));
    this.#renewAtMs = this.#now() + wait;
    this.#renewAtMonotonicMs = performance.now() + wait;
  }

  #keep(key: KeyObject, chainPem: readonly string[]): void {
    const keyPem = key.export({ format: "pem", type: "pkcs8" }).toString();
    writePrivately(this.#settings.file, JSON.stringify({ keyPem, chainPem }));
  }

  #readKept(): WorkloadCertificate | undefined {
    try {
      const { file } = this.#settings;
      if ((statSync(file).mode & 0o077) !== 0) return undefined;
      const { keyPem, chainPem } = JSON.parse(readFileSync(file, "utf8")) as { keyPem: string; chainPem: string[] };
      const key = createPrivateKey(keyPem);
      if (chainPem.length === 0) this.#pending = key;
      return this.#check(key, chainPem);
    } catch {
      // Missing, torn, expired or of another identity: a new one is made.
      return undefined;
    }
  }

  #random(): number {
    return (this.#settings.random ?? Math.random)();
  }
}

function makeRequest(key: KeyObject): Uint8Array {
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  return writeRequest(publicKey, (bytes) => sign("sha256", bytes, key));
}
