import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { parseIp } from "../../base/cidr.ts";
import { writeAscii, writeDer, writeOid, writePem, writeSequence } from "../../base/x509/index.ts";

/** A certificate and its key as PEM. */
export interface KeyAndChain {
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface CertificateNames {
  /** DNS names, `*` at the front allowed, and IP addresses. */
  readonly hosts?: readonly string[];
  readonly uri?: string;
}

const DAY_MS = 86_400_000;
const ECDSA_WITH_SHA256 = writeSequence(writeOid("1.2.840.10045.4.3.2"));
const COMMON_NAME = "2.5.4.3";
const OID = { basicConstraints: "2.5.29.19", keyUsage: "2.5.29.15", extendedKeyUsage: "2.5.29.37", subjectNames: "2.5.29.17" } as const;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const TRUE = writeDer(0x01, Uint8Array.of(0xff));

/**
 * A certificate authority for one test run: a root made anew, its key in this process only. Certificates (X.509 v3, RFC 5280) are made without
 * waiting, since a mesh is built so.
 */
export class TestAuthority {
  readonly rootPem: string;
  readonly #name: string;
  readonly #rootKey: KeyObject;
  /** All leaves have one key: nobody is to be kept from another's traffic here. */
  readonly #leafKey: KeyObject;
  readonly #nowMs: number;
  readonly #known = new Map<string, KeyAndChain>();

  constructor(name: string, nowMs: number) {
    this.#name = name;
    this.#rootKey = makeKey();
    this.#leafKey = makeKey();
    this.#nowMs = nowMs;
    this.rootPem = this.#write({ subject: name, key: this.#rootKey, notAfterMs: nowMs + DAY_MS, extensions: rootExtensions() });
  }

  /** A certificate for servers and clients; asked for again, the same one. `expired`: its time ended an hour ago. */
  issue(names: CertificateNames, { expired = false }: { readonly expired?: boolean } = {}): KeyAndChain {
    const { hosts = [], uri = "" } = names;
    const id = JSON.stringify([hosts, uri, expired]);
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const notAfterMs = expired ? this.#nowMs - DAY_MS / 24 : this.#nowMs + DAY_MS;
    const chainPem = this.#write({ subject: "", key: this.#leafKey, notAfterMs, extensions: leafExtensions(names) });
    const made = { chainPem, keyPem: this.#leafKey.export({ format: "pem", type: "pkcs8" }) as string };
    this.#known.set(id, made);
    return made;
  }

  #write({ subject, key, notAfterMs, extensions }: ToWrite): string {
    const serial = randomBytes(16);
    serial[0] = 0x01;
    const signed = writeSequence(
      writeDer(0xa0, writeDer(0x02, Uint8Array.of(2))),
      writeDer(0x02, serial),
      ECDSA_WITH_SHA256,
      writeName(this.#name),
      writeSequence(writeTime(this.#nowMs - DAY_MS), writeTime(notAfterMs)),
      writeName(subject),
      createPublicKey(key).export({ format: "der", type: "spki" }),
      writeDer(0xa3, writeSequence(...extensions)),
    );
    return writePem(writeSequence(signed, ECDSA_WITH_SHA256, writeBits(sign("sha256", signed, this.#rootKey))), "CERTIFICATE");
  }
}

interface ToWrite {
  readonly subject: string;
  readonly key: KeyObject;
  readonly notAfterMs: number;
  readonly extensions: readonly Uint8Array[];
}

function makeKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

function rootExtensions(): readonly Uint8Array[] {
  // keyCertSign and cRLSign.
  return [
    extension(OID.basicConstraints, true, writeSequence(TRUE)),
    extension(OID.keyUsage, true, writeDer(0x03, Uint8Array.of(1, 0x06))),
  ];
}

function leafExtensions({ hosts = [], uri }: CertificateNames): readonly Uint8Array[] {
  const names = [...hosts.map(writeHost), ...(uri === undefined ? [] : [writeAscii(0x86, uri)])];
  return [
    extension(OID.basicConstraints, true, writeSequence()),
    // digitalSignature.
    extension(OID.keyUsage, true, writeDer(0x03, Uint8Array.of(7, 0x80))),
    extension(OID.extendedKeyUsage, false, writeSequence(writeOid(SERVER_AUTH), writeOid(CLIENT_AUTH))),
    // Without a Subject the names are critical (RFC 5280, 4.2.1.6).
    ...(names.length === 0 ? [] : [extension(OID.subjectNames, true, writeSequence(...names))]),
  ];
}

function writeHost(host: string): Uint8Array {
  const ip = parseIp(host);
  if (ip === undefined) return writeAscii(0x82, host);
  const digits = ip.address.toString(16).padStart(ip.family === 4 ? 8 : 32, "0");
  return writeDer(0x87, Buffer.from(digits, "hex"));
}

function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  return writeSequence(writeOid(oid), ...(critical ? [TRUE] : []), writeDer(0x04, value));
}

function writeName(commonName: string): Uint8Array {
  if (commonName === "") return writeSequence();
  return writeSequence(writeDer(0x31, writeSequence(writeOid(COMMON_NAME), writeDer(0x0c, Buffer.from(commonName)))));
}

/** GeneralizedTime; UTCTime up to 2049, as RFC 5280 has it. */
function writeTime(milliseconds: number): Uint8Array {
  const digits = new Date(milliseconds).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return digits < "2050" ? writeAscii(0x17, digits.slice(2)) : writeAscii(0x18, digits);
}

function writeBits(bytes: Uint8Array): Uint8Array {
  return writeDer(0x03, Uint8Array.of(0), bytes);
}
