import { existsSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "../model/error.ts";
import { controlPlaneIdentity, formatIdentity, type Identity, isControlPlane, parseIdentity } from "../model/identity.ts";
import { createFolder, FILES, holdsAuthority, readPrivate, readPrivateKey, replaceFile } from "./files.ts";
import { issueDevelopmentRoot, issueIntermediate, issueLeaf, makeKey, type Signer } from "./issue.ts";
import { checkPublicKey, readRequestedKey } from "./request.ts";
import { type LoadedSigner, loadSigner } from "./signer.ts";

export interface AuthoritySettings {
  /** Folder of the keys and certificates; made where it isn't there and `dev` is set. */
  readonly dir: string;
  readonly trustDomain: string;
  /** Development: a root of our own is made and may sign. Without it such a root is refused. */
  readonly dev: boolean;
  /** The wall clock in milliseconds since 1970; tests bring their own. */
  readonly now?: () => number;
  /** The longest life of a leaf; 1 h by default. */
  readonly maxTtlMs?: number;
}

/** What to sign: the key alone, or a request (PEM) of which only the key is used. */
export type SigningRequest = ({ readonly csr: string } | { readonly publicKey: Uint8Array }) & {
  readonly identity: Identity;
  /** Wanted life; clamped to between 1 s and the longest, and never past the end of the signer. */
  readonly ttlMs?: number;
};

export interface SignedCertificate {
  /** The leaf, what is between it and the root, the root last: one PEM each. */
  readonly chainPem: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface Authority {
  readonly trustDomain: string;
  /** PEM of the roots that peers must trust. */
  readonly rootsPem: string;
  readonly isDevelopment: boolean;
  /** The end of the signing intermediate, milliseconds since 1970. */
  readonly signerNotAfterMs: number;
  /** Signs a leaf. @throws MeshError `refused` for a bad request, key or identity; the message names no part of the request. */
  sign(request: SigningRequest): Promise<SignedCertificate>;
  /** Signs the control plane's own leaf; nobody else gets one. */
  signOwn(publicKey: Uint8Array): Promise<SignedCertificate>;
}

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
/** Two clocks that are five minutes wrong, each the other way, must not keep a certificate from being used. */
const BACKDATE_MS = 10 * 60_000;
/** A development root is good from here and ten years on, at least: the clock may have been wrong when it was made, and it is never replaced. */
const ROOT_SINCE_MS = Date.UTC(2020, 0, 1);

/**
 * Opens the certificate authority of a trust domain; in development it is made first where there is none.
 * @throws MeshError `refused` where a development or self-signed signer would sign in production, `io` for unsafe or damaged files.
 */
export async function openAuthority(settings: AuthoritySettings): Promise<Authority> {
  const now = settings.now ?? Date.now;
  if (parseIdentity(`spiffe://${settings.trustDomain}/ns/a/sa/b`) === undefined) {
    throw new MeshError("usage", `${JSON.stringify(settings.trustDomain)} is no trust domain`, {
      help: "use lower-case letters, digits, dots and dashes",
    });
  }
  if (!holdsAuthority(settings.dir)) await createDevelopment(settings, now());
  else if (settings.dev) await repairDevelopment(settings, now());
  const authority = new FileAuthority(settings, now);
  await authority.renewSigner();
  return authority;
}

async function createDevelopment({ dir, trustDomain, dev }: AuthoritySettings, nowMs: number): Promise<void> {
  if (!dev) {
    throw new MeshError("refused", `there is no signing certificate in ${dir}, and production makes no root of its own`, {
      help: `put root.pem, intermediate.pem and intermediate.key of your enterprise's authority into ${dir}, or start with --dev`,
    });
  }
  const rootKey = makeKey();
  const rootPem = await issueDevelopmentRoot(rootKey, {
    notBeforeMs: Math.min(ROOT_SINCE_MS, nowMs - BACKDATE_MS),
    notAfterMs: Math.max(ROOT_SINCE_MS, nowMs) + 10 * YEAR_MS,
  });
  const root = { certificatePem: rootPem, key: rootKey };
  createFolder(dir, {
    [FILES.roots]: rootPem,
    [FILES.rootKey]: writeKey(rootKey),
    [FILES.developmentMark]: "This root was made for development. Production refuses it.\n",
    ...(await makeIntermediate(root, trustDomain, nowMs)),
  });
}

/**
 * Makes a new intermediate where the development root is there but the one that it signed can't be used any more: it has expired, is for
 * another trust domain, or only one of its two files was written before a crash.
 */
async function repairDevelopment({ dir, trustDomain }: AuthoritySettings, nowMs: number): Promise<void> {
  try {
    loadSigner(dir, trustDomain, nowMs);
  } catch (thrown) {
    const mayRepair = thrown instanceof MeshError && thrown.code === "refused" && existsSync(join(dir, FILES.rootKey));
    if (!mayRepair) throw thrown;
    await replaceIntermediate(dir, trustDomain, nowMs);
  }
}

async function replaceIntermediate(dir: string, trustDomain: string, nowMs: number): Promise<void> {
  const root = { certificatePem: readPrivate(dir, FILES.roots), key: readPrivateKey(dir, FILES.rootKey) };
  const made = await makeIntermediate(root, trustDomain, nowMs);
  for (const [name, text] of Object.entries(made)) replaceFile(dir, name, text);
}

/** Certificate and key go into one file each; the key is written first when they are replaced. */
async function makeIntermediate(root: Signer, trustDomain: string, nowMs: number): Promise<Record<string, string>> {
  const key = makeKey();
  const validity = { notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + YEAR_MS };
  return { [FILES.intermediateKey]: writeKey(key), [FILES.intermediate]: await issueIntermediate(root, key, trustDomain, validity) };
}

function writeKey(key: ReturnType<typeof makeKey>): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

class FileAuthority implements Authority {
  readonly trustDomain: string;
  readonly #settings: AuthoritySettings;
  readonly #now: () => number;
  #signer: LoadedSigner;

  constructor(settings: AuthoritySettings, now: () => number) {
    this.trustDomain = settings.trustDomain;
    this.#settings = settings;
    this.#now = now;
    this.#signer = loadSigner(settings.dir, settings.trustDomain, now());
    if (this.#signer.isDevelopment && !settings.dev) {
      throw new MeshError("refused", `the root in ${settings.dir} was made for development and may not sign in production`, {
        help: "start with --dev, or put the enterprise's intermediate into another folder and name that",
      });
    }
  }

  get rootsPem(): string {
    return this.#signer.rootsPem.join("");
  }

  get isDevelopment(): boolean {
    return this.#signer.isDevelopment;
  }

  get signerNotAfterMs(): number {
    return this.#signer.certificate.notAfterMs;
  }

  /**
   * Makes a new intermediate when a third of the old one's life is left, or it was made by a clock that was ahead; only a development root's
   * key is here to do so.
   */
  async renewSigner(): Promise<void> {
    const { notBeforeMs, notAfterMs } = this.#signer.certificate;
    const now = this.#now();
    const isGood = now >= notBeforeMs && notAfterMs - now > (notAfterMs - notBeforeMs) / 3;
    if (!this.#signer.isDevelopment || isGood) return;
    const { dir, trustDomain } = this.#settings;
    await replaceIntermediate(dir, trustDomain, this.#now());
    this.#signer = loadSigner(dir, trustDomain, this.#now());
  }

  async sign(request: SigningRequest): Promise<SignedCertificate> {
    const { identity, ttlMs } = request;
    if (parseIdentity(formatIdentity(identity)) === undefined || identity.trustDomain !== this.trustDomain) {
      throw new MeshError("refused", "the identity is not one of this trust domain");
    }
    if (isControlPlane(identity)) throw new MeshError("refused", "the identity is the control plane's own");
    return await this.#issue("csr" in request ? readRequestedKey(request.csr) : request.publicKey, identity, ttlMs);
  }

  signOwn(publicKey: Uint8Array): Promise<SignedCertificate> {
    return this.#issue(publicKey, controlPlaneIdentity(this.trustDomain), undefined);
  }

  async #issue(publicKey: Uint8Array, identity: Identity, ttlMs: number | undefined): Promise<SignedCertificate> {
    checkPublicKey(publicKey);
    await this.renewSigner();
    const validity = this.#validityFor(ttlMs);
    const uri = formatIdentity(identity);
    const leaf = await issueLeaf(this.#signer, publicKey, uri, validity);
    const { certificatePem, abovePem, rootsPem } = this.#signer;
    return { chainPem: [leaf, certificatePem, ...abovePem, ...rootsPem.slice(0, 1)], ...validity };
  }

  /** Whole seconds, as certificates have them. */
  #validityFor(ttlMs: number | undefined): { notBeforeMs: number; notAfterMs: number } {
    const max = this.#settings.maxTtlMs ?? HOUR_MS;
    const wanted = ttlMs === undefined || !(ttlMs > 0) ? max : Math.min(max, Math.max(1000, ttlMs));
    const now = Math.floor(this.#now() / 1000) * 1000;
    const signer = this.#signer.certificate;
    if (now < signer.notBeforeMs) {
      throw new MeshError("refused", "the signing certificate is not valid yet", { help: "look at this machine's clock: date" });
    }
    const notAfterMs = Math.min(now + Math.ceil(wanted / 1000) * 1000, signer.notAfterMs);
    if (notAfterMs <= now) throw new MeshError("refused", "the signing certificate has expired", { help: "put a new one into its folder" });
    return { notBeforeMs: Math.max(now - BACKDATE_MS, signer.notBeforeMs), notAfterMs };
  }
}
