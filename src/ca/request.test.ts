import "reflect-metadata";
import { execFileSync } from "node:child_process";
import { webcrypto } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCertificate, readPemBlocks, writePem } from "../base/x509/index.ts";
import { MeshError } from "../model/error.ts";
import { type Authority, openAuthority } from "./authority.ts";
import { fc } from "../testing/property.ts";

const identity = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "users" };
const URI = "spiffe://mesh.test/ns/shop/sa/users";

let dir: string;
let authority: Authority;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "kcsr-"));
  authority = await openAuthority({ dir: join(dir, "ca"), trustDomain: "mesh.test", dev: true });
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

const hostileName = fc.oneof(
  fc.constantFrom("spiffe://mesh.test/ns/kumiko-system/sa/kumiko", "spiffe://mesh.test/ns/shop/sa/admin", URI, "https://x.test/"),
  fc.webUrl(),
);

/** What a hostile client may ask for: other names, to be an authority, every usage, any Subject, any extension. */
const hostileRequest = fc.record({
  subject: fc.constantFrom("", "CN=admin", "CN=spiffe://mesh.test/ns/shop/sa/admin", "O=Kumiko,CN=root"),
  uris: fc.array(hostileName, { maxLength: 4 }),
  dns: fc.array(fc.domain(), { maxLength: 3 }),
  authority: fc.boolean(),
  usages: fc.integer({ min: 0, max: 511 }),
  extension: fc.option(fc.uint8Array({ maxLength: 40 })),
});

type Hostile = typeof hostileRequest extends fc.Arbitrary<infer T> ? T : never;

async function makeRequest(given: Hostile, keys: webcrypto.CryptoKeyPair): Promise<x509.Pkcs10CertificateRequest> {
  const names = [
    ...given.uris.map((value) => ({ type: "url" as const, value })),
    ...given.dns.map((value) => ({ type: "dns" as const, value })),
  ];
  return await x509.Pkcs10CertificateRequestGenerator.create({
    name: given.subject,
    keys,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(given.authority, undefined, true),
      new x509.KeyUsagesExtension(given.usages),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ...(given.extension === null ? [] : [new x509.Extension("1.2.3.4", true, given.extension as Uint8Array<ArrayBuffer>)]),
    ],
  });
}

describe("a certificate request", () => {
  test("gives nothing but its key, whatever it asks for", async () => {
    const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    await fc.assert(
      fc.asyncProperty(hostileRequest, fc.double(), async (given, ttlMs) => {
        const request = await makeRequest(given, keys);
        const signed = await authority.sign({ csr: request.toString("pem"), identity, ttlMs });
        const leaf = readCertificate(readPemBlocks(signed.chainPem[0] ?? "", "CERTIFICATE")[0] ?? new Uint8Array());
        expect(leaf.names).toEqual({ uris: [URI], others: 0, critical: true });
        expect(leaf.isAuthority).toBe(false);
        expect([...(leaf.keyUsage ?? [])]).toEqual([0]);
        expect(leaf.subject).toHaveLength(2);
        expect(leaf.unknownCritical).toEqual([]);
        expect(signed.notAfterMs - Date.now()).toBeLessThanOrEqual(3_600_000);
        expect(Buffer.from(leaf.publicKey)).toEqual(Buffer.from(request.publicKey.rawData));
      }),
      { numRuns: 150 },
    );
  });

  test("with any byte changed is refused without a word about it, or still gives nothing but its key", async () => {
    const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    const request = await makeRequest({ subject: "CN=admin", uris: [URI], dns: [], authority: true, usages: 511, extension: null }, keys);
    const good = new Uint8Array(request.rawData);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bytes = Uint8Array.from(good);
        bytes[at] = (bytes[at] ?? 0) ^ change;
        const error = await authority.sign({ csr: writePem(bytes, "CERTIFICATE REQUEST"), identity }).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ name: "MeshError", code: "refused", message: "the certificate request can't be used" });
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    { title: "empty", csr: "" },
    { title: "no PEM", csr: "hello" },
    { title: "of another label", csr: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" },
    { title: "two at once", csr: `${writePem(Uint8Array.of(0x30, 0), "CERTIFICATE REQUEST").repeat(2)}` },
    { title: "a megabyte", csr: writePem(new Uint8Array(1_000_000), "CERTIFICATE REQUEST") },
    { title: "over 16 KiB of DER", csr: writePem(new Uint8Array(17_000), "CERTIFICATE REQUEST") },
    { title: "nested 3,000 deep", csr: writePem(nested(3000), "CERTIFICATE REQUEST") },
  ])("that is $title is refused", async ({ csr }) => {
    await expect(authority.sign({ csr, identity })).rejects.toBeInstanceOf(MeshError);
    await expect(authority.sign({ csr, identity })).rejects.toMatchObject({ code: "refused" });
  });

  test("that is right but over 16 KiB is refused", async () => {
    const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    const large = { subject: "" as const, uris: [], dns: [], authority: false, usages: 1, extension: new Uint8Array(16_384) };
    const request = await makeRequest(large, keys);
    await expect(authority.sign({ csr: request.toString("pem"), identity })).rejects.toMatchObject({ code: "refused" });
  });

  test("of openssl is read, for EC and RSA keys; one with a weak key is refused", async () => {
    const pem = (algorithm: readonly string[]) => {
      const key = join(dir, "key.pem");
      execFileSync("openssl", ["genpkey", ...algorithm, "-out", key], { stdio: "ignore" });
      return execFileSync("openssl", ["req", "-new", "-key", key, "-subj", "/CN=x", "-addext", "subjectAltName=URI:spiffe://mesh.test/x"], {
        encoding: "utf8",
      });
    };
    const sign = (csr: string) => authority.sign({ csr, identity });
    await expect(sign(pem(["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]))).resolves.toBeDefined();
    await expect(sign(pem(["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]))).resolves.toBeDefined();
    await expect(sign(pem(["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]))).rejects.toMatchObject({ code: "refused" });
    await expect(sign(pem(["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp224r1"]))).rejects.toMatchObject({ code: "refused" });
  });
});

/** Sequences within sequences. */
function nested(depth: number): Uint8Array {
  let bytes: Uint8Array = Uint8Array.of(0x30, 0);
  for (let i = 0; i < depth; i++) {
    const length = bytes.length;
    const head = length < 0x80 ? [0x30, length] : [0x30, 0x82, length >> 8, length & 0xff];
    bytes = Uint8Array.from([...head, ...bytes]);
  }
  return bytes;
}
