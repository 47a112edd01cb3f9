import "reflect-metadata";
import { spawnSync } from "node:child_process";
import { webcrypto } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyChain, writeAscii, writeDer, writeSequence } from "../base/x509/index.ts";
import { verifySignature } from "./signature.ts";
import { fc } from "../testing/property.ts";

/** One certificate to craft; every default is right. */
interface Crafted {
  readonly ca: boolean;
  readonly pathLength: number | undefined;
  readonly usage: number | undefined;
  readonly usageCritical: boolean;
  readonly extendedUsage: readonly string[] | undefined;
  readonly uris: readonly string[];
  readonly permitted: string | undefined;
  readonly excluded: string | undefined;
  readonly fromHours: number;
  readonly toHours: number;
  readonly criticalUnknown: boolean;
  /** Signed by a key that is not the issuer's. */
  readonly wrongKey: boolean;
}

const { digitalSignature, keyCertSign, cRLSign } = x509.KeyUsageFlags;
const CLIENT = x509.ExtendedKeyUsage.clientAuth as string;
const SERVER = x509.ExtendedKeyUsage.serverAuth as string;
const URI = "spiffe://a.test/ns/shop/sa/users";
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const NOW = Date.now();

const base = {
  usageCritical: true,
  uris: [],
  permitted: undefined,
  excluded: undefined,
  fromHours: -1,
  toHours: 1,
  criticalUnknown: false,
  wrongKey: false,
};
const rightAuthority: Crafted = { ...base, ca: true, pathLength: undefined, usage: keyCertSign | cRLSign, extendedUsage: undefined };
const rightIntermediate: Crafted = { ...rightAuthority, pathLength: 0, permitted: "a.test" };
const rightLeaf: Crafted = {
  ...base,
  ca: false,
  pathLength: undefined,
  usage: digitalSignature,
  extendedUsage: [SERVER, CLIENT],
  uris: [URI],
};

let dir: string;
let keys: readonly webcrypto.CryptoKeyPair[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "kchain-"));
  keys = await Promise.all([0, 1, 2, 3, 4].map(() => webcrypto.subtle.generateKey(P256, true, ["sign", "verify"])));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Root first, leaf last; returns the certificates in the same order. */
async function craft(parts: readonly Crafted[]): Promise<readonly x509.X509Certificate[]> {
  const made: x509.X509Certificate[] = [];
  for (const [i, part] of parts.entries()) {
    const isLeaf = i === parts.length - 1;
    const own = keys[i];
    const signer = part.wrongKey ? keys[4] : keys[Math.max(0, i - 1)];
    if (own === undefined || signer === undefined) throw new Error("too long a chain");
    const issuerKey = keys[Math.max(0, i - 1)]?.publicKey ?? own.publicKey;
    made.push(
      await x509.X509CertificateGenerator.create({
        serialNumber: `0${i + 1}`,
        subject: isLeaf ? "" : `CN=authority ${i}`,
        issuer: `CN=authority ${Math.max(0, i - 1)}`,
        notBefore: new Date(NOW + part.fromHours * 3_600_000),
        notAfter: new Date(NOW + part.toHours * 3_600_000),
        publicKey: own.publicKey,
        signingKey: signer.privateKey,
        signingAlgorithm: P256,
        extensions: await extensionsOf(part, own.publicKey, issuerKey),
      }),
    );
  }
  return made;
}

async function extensionsOf(part: Crafted, own: webcrypto.CryptoKey, issuer: webcrypto.CryptoKey): Promise<x509.Extension[]> {
  const tree = (tag: number, host: string | undefined) =>
    host === undefined ? [] : [writeDer(tag, writeSequence(writeAscii(0x86, host)))];
  const trees = [...tree(0xa0, part.permitted), ...tree(0xa1, part.excluded)];
  return [
    new x509.BasicConstraintsExtension(part.ca, part.pathLength, true),
    ...(part.usage === undefined ? [] : [new x509.KeyUsagesExtension(part.usage, part.usageCritical)]),
    ...(part.extendedUsage === undefined
      ? []
      : [new x509.ExtendedKeyUsageExtension([...part.extendedUsage] as x509.ExtendedKeyUsageType[])]),
    ...(part.uris.length === 0
      ? []
      : [
          new x509.SubjectAlternativeNameExtension(
            part.uris.map((value) => ({ type: "url" as const, value })),
            true,
          ),
        ]),
    ...(trees.length === 0 ? [] : [new x509.Extension("2.5.29.30", true, writeSequence(...trees) as Uint8Array<ArrayBuffer>)]),
    ...(part.criticalUnknown ? [new x509.Extension("1.2.3.4.5", true, Uint8Array.of(5, 0))] : []),
    await x509.SubjectKeyIdentifierExtension.create(own),
    await x509.AuthorityKeyIdentifierExtension.create(issuer),
  ];
}

function ours(chain: readonly x509.X509Certificate[]) {
  const [root, ...rest] = chain.map((certificate) => new Uint8Array(certificate.rawData));
  return verifyChain({ chain: rest.toReversed(), roots: root === undefined ? [] : [root], nowMs: NOW, verifySignature });
}

function openssl(chain: readonly x509.X509Certificate[]): boolean {
  const [root, ...rest] = chain.map((certificate) => `${certificate.toString("pem")}\n`);
  const leaf = rest.pop() ?? "";
  const files = { root: root ?? "", untrusted: rest.join(""), leaf };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const untrusted = rest.length === 0 ? [] : ["-untrusted", join(dir, "untrusted")];
  const args = [
    "verify",
    "-attime",
    String(Math.floor(NOW / 1000)),
    "-CAfile",
    join(dir, "root"),
    ...untrusted,
    "-purpose",
    "sslclient",
    join(dir, "leaf"),
  ];
  return spawnSync("openssl", args).status === 0;
}

const chainOf = (root: Partial<Crafted>, intermediate: Partial<Crafted>, leaf: Partial<Crafted>) =>
  craft([
    { ...rightAuthority, ...root },
    { ...rightIntermediate, ...intermediate },
    { ...rightLeaf, ...leaf },
  ]);

describe("verifyChain", () => {
  test.each<{ title: string; root?: Partial<Crafted>; intermediate?: Partial<Crafted>; leaf?: Partial<Crafted>; reason?: RegExp }>([
    { title: "a right chain passes" },
    { title: "no ExtendedKeyUsage passes", leaf: { extendedUsage: undefined } },
    { title: "an intermediate without name constraints passes", intermediate: { permitted: undefined } },
    { title: "a constraint on what is under a domain covers it", intermediate: { permitted: ".test" } },
    {
      title: "a constraint on what is under a domain does not cover the domain",
      intermediate: { permitted: ".a.test" },
      reason: /outside/,
    },
    { title: "another trust domain", leaf: { uris: ["spiffe://b.test/ns/shop/sa/users"] }, reason: /outside/ },
    { title: "a trust domain under the permitted one", leaf: { uris: ["spiffe://x.a.test/ns/shop/sa/users"] }, reason: /outside/ },
    { title: "an excluded trust domain", intermediate: { permitted: undefined, excluded: "a.test" }, reason: /excluded/ },
    { title: "an excluded tree that could never match", intermediate: { excluded: "spiffe://b.test" }, reason: /not understood/ },
    { title: "an excluded tree that is empty", intermediate: { excluded: "" }, reason: /not understood/ },
    { title: "two URI names", leaf: { uris: [URI, "spiffe://a.test/ns/shop/sa/admin"] }, reason: /exactly one/ },
    { title: "no URI name", leaf: { uris: [] }, reason: /exactly one/ },
    { title: "a query in the id", leaf: { uris: [`${URI}?x`] }, reason: /no SPIFFE id/ },
    { title: "an id without a path", leaf: { uris: ["spiffe://a.test"] }, reason: /no SPIFFE id/ },
    { title: "a dotted segment", leaf: { uris: ["spiffe://a.test/ns/../sa/users"] }, reason: /no SPIFFE id/ },
    { title: "a leaf that is an authority", leaf: { ca: true }, reason: /certificate authority/ },
    { title: "a leaf that may sign certificates", leaf: { usage: digitalSignature | keyCertSign }, reason: /may sign/ },
    { title: "a leaf without KeyUsage", leaf: { usage: undefined }, reason: /KeyUsage/ },
    { title: "a leaf whose KeyUsage is not critical", leaf: { usageCritical: false }, reason: /KeyUsage/ },
    { title: "a leaf for servers only", leaf: { extendedUsage: [SERVER] }, reason: /clients/ },
    { title: "an expired leaf", leaf: { fromHours: -2, toHours: -1 }, reason: /expired/ },
    { title: "a leaf from the future", leaf: { fromHours: 1, toHours: 2 }, reason: /not valid yet/ },
    { title: "an expired intermediate", intermediate: { fromHours: -2, toHours: -1 }, reason: /expired/ },
    { title: "an expired root", root: { fromHours: -2, toHours: -1 }, reason: /expired/ },
    { title: "a critical extension nobody knows", leaf: { criticalUnknown: true }, reason: /not known/ },
    {
      title: "an intermediate that is no authority",
      intermediate: { ca: false, pathLength: undefined },
      reason: /no certificate authority/,
    },
    { title: "an intermediate that may not sign", intermediate: { usage: digitalSignature }, reason: /may not sign/ },
    { title: "a signature by another key", leaf: { wrongKey: true }, reason: /signature/ },
    { title: "an intermediate signed by another key", intermediate: { wrongKey: true }, reason: /signature/ },
    { title: "an intermediate for servers only", intermediate: { extendedUsage: [SERVER] }, reason: /leaves out/ },
    { title: "a root whose pathLen is too short", root: { pathLength: 0 }, reason: /longer/ },
  ])("$title", async ({ root = {}, intermediate = {}, leaf = {}, reason }) => {
    const chain = await chainOf(root, intermediate, leaf);
    const verdict = ours(chain);
    expect(verdict.ok).toBe(reason === undefined);
    expect(verdict.ok ? verdict.uri : verdict.reason).toMatch(reason ?? URI);
    expect(reason !== undefined || openssl(chain)).toBe(true);
  });

  test("pathLen counts the intermediates below", async () => {
    const lower = { ...rightIntermediate };
    expect(ours(await craft([rightAuthority, { ...rightIntermediate, pathLength: 1 }, lower, rightLeaf])).ok).toBe(true);
    expect(ours(await craft([rightAuthority, { ...rightIntermediate, pathLength: 0 }, lower, rightLeaf])).ok).toBe(false);
  });

  test("accepts no chain that openssl refuses, over random faults", async () => {
    let accepted = 0;
    const crafted = (right: Crafted, rate: number) =>
      fc.record({
        ...Object.fromEntries(Object.entries(right).map(([field, value]) => [field, fc.constant(value)])),
        ca: mostly(right.ca, fc.boolean(), rate),
        pathLength: mostly(right.pathLength, fc.constantFrom(undefined, 0, 1, 2), rate),
        usage: mostly(right.usage, fc.constantFrom(undefined, digitalSignature, keyCertSign, cRLSign, 511), rate),
        extendedUsage: mostly(right.extendedUsage, fc.constantFrom(undefined, [SERVER], [CLIENT], [SERVER, CLIENT]), rate),
        uris: mostly(right.uris, fc.constantFrom([], [URI], ["spiffe://b.test/a"], [URI, "spiffe://a.test/b"]), rate),
        permitted: mostly(right.permitted, fc.constantFrom(undefined, "a.test", ".a.test", ".test", "b.test", "A.test"), rate),
        excluded: mostly(right.excluded, fc.constantFrom(undefined, "a.test", "b.test"), rate),
        fromHours: mostly(right.fromHours, fc.constantFrom(-2, -1, 1), rate),
        toHours: mostly(right.toHours, fc.constantFrom(-1, 1, 2), rate),
        criticalUnknown: mostly(false, fc.boolean(), rate),
        wrongKey: mostly(false, fc.boolean(), rate),
      }) as fc.Arbitrary<Crafted>;
    const chains = fc.tuple(
      crafted(rightAuthority, 60),
      fc.array(crafted(rightIntermediate, 40), { minLength: 0, maxLength: 2 }),
      crafted(rightLeaf, 60),
    );
    await fc.assert(
      fc.asyncProperty(chains, async ([root, intermediates, leaf]) => {
        const chain = await craft([root, ...intermediates, leaf]);
        const verdict = ours(chain);
        if (!verdict.ok) return;
        accepted++;
        expect(openssl(chain)).toBe(true);
      }),
      { numRuns: 200 },
    );
    expect(accepted).toBeGreaterThan(20);
  });

  test("never throws on bytes that are no certificate", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(verifyChain({ chain: [bytes], roots: [bytes], nowMs: NOW, verifySignature }).ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test("never throws on a certificate with a byte changed, and accepts none", async () => {
    const chain = (await chainOf({}, {}, {})).map((certificate) => new Uint8Array(certificate.rawData));
    const [root, intermediate, leaf] = chain;
    if (root === undefined || intermediate === undefined || leaf === undefined) throw new Error("no chain");
    fc.assert(
      fc.property(fc.nat(leaf.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(leaf);
        changed[at] = (changed[at] ?? 0) ^ change;
        expect(verifyChain({ chain: [changed, intermediate], roots: [root], nowMs: NOW, verifySignature }).ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});

/** The right value but for one in `rate`. */
function mostly<T>(right: T, others: fc.Arbitrary<unknown>, rate: number): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: rate, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: others });
}
