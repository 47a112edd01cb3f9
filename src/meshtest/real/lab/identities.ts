import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { CertificateSecrets, OWN_CERTIFICATE, ROOTS } from "../../../agent/sds.ts";
import { type Authority, openAuthority } from "../../../ca/index.ts";
import { SecretSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { formatIdentity, type Identity } from "../../../model/identity.ts";
import { Sealed } from "../../../model/sealed.ts";
import type { EnvoyResource } from "../../../translate/envoy/resource.ts";

/** Longer than any run. */
const LIFE_MS = 7 * 24 * 3_600_000;

/** Certificates of a lab's workloads: a development authority for each trust domain, a key for each identity, both made when first asked for. */
export class Identities {
  readonly #dir: string;
  readonly #authorities = new Map<string, Promise<Authority>>();
  readonly #secrets = new Map<string, Promise<readonly EnvoyResource[]>>();

  /** `dir`: a private folder, for keys. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The two secrets that every proxy names: its certificate with its key, and the roots, of which one more may be trusted. */
  secretsOf(identity: Identity, moreRootsPem: string): Promise<readonly EnvoyResource[]> {
    const key = `${formatIdentity(identity)} ${moreRootsPem}`;
    let secrets = this.#secrets.get(key);
    if (secrets === undefined) this.#secrets.set(key, (secrets = this.#make(identity, moreRootsPem)));
    return secrets;
  }

  #authorityOf(trustDomain: string): Promise<Authority> {
    let authority = this.#authorities.get(trustDomain);
    if (authority === undefined) {
      authority = openAuthority({ dir: join(this.#dir, `ca-${this.#authorities.size}`), trustDomain, dev: true, maxTtlMs: LIFE_MS });
      this.#authorities.set(trustDomain, authority);
    }
    return authority;
  }

  async #make(identity: Identity, moreRootsPem: string): Promise<readonly EnvoyResource[]> {
    const authority = await this.#authorityOf(identity.trustDomain);
    const { publicKey, privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const signed = await authority.sign({ publicKey: publicKey.export({ format: "der", type: "spki" }), identity, ttlMs: LIFE_MS });
    const { chainPem, notBeforeMs, notAfterMs } = signed;
    const rootsPem = `${authority.rootsPem}${moreRootsPem}`;
    const secrets = new CertificateSecrets(() => ({
      key: new Sealed(key),
      chainPem: chainPem.slice(0, -1).join(""),
      rootsPem,
      notBeforeMs,
      notAfterMs,
    }));
    return [OWN_CERTIFICATE, ROOTS].map((name) => toResource(name, secrets));
  }
}

function toResource(name: string, secrets: CertificateSecrets): EnvoyResource {
  const { version = "", bytes = new Uint8Array() } = secrets.current(name) ?? {};
  return { type: "secret", name, version, bytes, message: fromBinary(SecretSchema, bytes), references: [], origins: new Map() };
}
