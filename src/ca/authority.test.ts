import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readCertificate, readPemBlocks, verifyChain } from "../base/x509/index.ts";
import { type Authority, openAuthority, type SignedCertificate } from "./authority.ts";
import { issueDevelopmentRoot, issueIntermediate, makeKey } from "./issue.ts";
import { verifySignature } from "./signature.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const YEAR = 365 * 24 * HOUR;
const users = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "users" };
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "kca-"));
  folders.push(folder);
  return folder;
}

function newPublicKey(): Uint8Array {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "der", type: "spki" });
}

const open = (dir: string, more: Partial<Parameters<typeof openAuthority>[0]> = {}): Promise<Authority> =>
  openAuthority({ dir, trustDomain: "mesh.test", dev: true, ...more });

const toDer = (pem: string): Uint8Array => readPemBlocks(pem, "CERTIFICATE")[0] ?? new Uint8Array();

function verifyIssued(signed: SignedCertificate, rootsPem: string, nowMs = Date.now()) {
  return verifyChain({ chain: signed.chainPem.slice(0, -1).map(toDer), roots: [toDer(rootsPem)], nowMs, verifySignature });
}

describe("the leaves of an authority", () => {
  test("200 of them have the profile, pass our verifier and openssl's strict one, and have serials of their own", async () => {
    const dir = newFolder();
    const authority = await open(join(dir, "ca"));
    const files: string[] = [];
    const serials = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const signed = await authority.sign({ publicKey: newPublicKey(), identity: { ...users, serviceAccount: `sa-${i}` } });
      const verdict = verifyIssued(signed, authority.rootsPem);
      expect(verdict).toMatchObject({ ok: true, uri: `spiffe://mesh.test/ns/shop/sa/sa-${i}` });
      const leaf = readCertificate(toDer(signed.chainPem[0] ?? ""));
      expect(leaf.subject).toHaveLength(2);
      expect(leaf.names).toEqual({ uris: [`spiffe://mesh.test/ns/shop/sa/sa-${i}`], others: 0, critical: true });
      expect([...(leaf.keyUsage ?? [])]).toEqual([0]);
      expect(leaf.notAfterMs - leaf.notBeforeMs).toBe(HOUR + 10 * MINUTE);
      expect(leaf.authorityKeyId).toEqual(readCertificate(toDer(signed.chainPem[1] ?? "")).subjectKeyId);
      serials.add(Buffer.from(leaf.serial).toString("hex"));
      files.push(join(dir, `leaf-${i}.pem`));
      writeFileSync(files.at(-1) ?? "", signed.chainPem[0] ?? "");
      writeFileSync(join(dir, "intermediate.pem"), signed.chainPem[1] ?? "");
    }
    writeFileSync(join(dir, "root.pem"), authority.rootsPem);
    const trust = ["-CAfile", join(dir, "root.pem"), "-untrusted", join(dir, "intermediate.pem")];
    for (const purpose of ["sslclient", "sslserver"]) {
      const out = execFileSync("openssl", ["verify", "-x509_strict", "-purpose", purpose, ...trust, ...files], { encoding: "utf8" });
      expect(out.split("\n").filter((line) => line.endsWith(": OK"))).toHaveLength(200);
    }
    expect(serials.size).toBe(200);
  });

  test.each([
    { title: "no wish gives the longest life", ttlMs: undefined, seconds: 3600 },
    { title: "ten years are clamped", ttlMs: 10 * YEAR, seconds: 3600 },
    { title: "a negative life counts as none", ttlMs: -5, seconds: 3600 },
    { title: "not a number counts as none", ttlMs: Number.NaN, seconds: 3600 },
    { title: "a short life is given", ttlMs: 5000, seconds: 5 },
    { title: "less than a second becomes one", ttlMs: 1, seconds: 1 },
  ])("$title", async ({ ttlMs, seconds }) => {
    const now = 1_800_000_000_000;
    const authority = await open(join(newFolder(), "ca"), { now: () => now });
    const signed = await authority.sign({ publicKey: newPublicKey(), identity: users, ...(ttlMs !== undefined && { ttlMs }) });
    expect(signed.notAfterMs).toBe(now + seconds * 1000);
  });

  test.each([
    { title: "RSA of 1024 bits", key: () => generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey },
    { title: "ECDSA P-224", key: () => generateKeyPairSync("ec", { namedCurve: "secp224r1" }).publicKey },
    { title: "Ed25519", key: () => generateKeyPairSync("ed25519").publicKey },
    { title: "bytes that are no key", key: () => undefined },
  ])("a key that is $title is refused", async ({ key }) => {
    const authority = await open(join(newFolder(), "ca"));
    const publicKey = key()?.export({ format: "der", type: "spki" }) ?? Uint8Array.of(0x30, 0x00);
    await expect(authority.sign({ publicKey, identity: users })).rejects.toMatchObject({ code: "refused" });
  });

  test.each([
    { title: "another trust domain", identity: { ...users, trustDomain: "other.test" } },
    { title: "a slash in the account", identity: { ...users, serviceAccount: "a/b" } },
    { title: "a query", identity: { ...users, serviceAccount: "users?x" } },
    { title: "a percent sign", identity: { ...users, namespace: "%2e" } },
    { title: "an empty namespace", identity: { ...users, namespace: "" } },
    { title: "the control plane's own name", identity: { ...users, namespace: "kumiko-system", serviceAccount: "kumiko" } },
  ])("an identity with $title is refused", async ({ identity }) => {
    const authority = await open(join(newFolder(), "ca"));
    await expect(authority.sign({ publicKey: newPublicKey(), identity })).rejects.toMatchObject({ code: "refused" });
  });
});

describe("the folder of an authority", () => {
  test("its files are 0600 in a 0700 folder, and the same authority opens again", async () => {
    const dir = join(newFolder(), "deep", "ca");
    const { rootsPem } = await open(dir);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(dir)) expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
    expect((await open(dir)).rootsPem).toBe(rootsPem);
  });

  test("two that create it at once end with one and the same root", async () => {
    const dir = join(newFolder(), "ca");
    const opened = await Promise.all([open(dir), open(dir), open(dir)]);
    expect(new Set(opened.map(({ rootsPem }) => rootsPem)).size).toBe(1);
  });

  test.each(["root.pem", "intermediate.key", "."])("%s that others can read stops it, with the command that repairs it", async (name) => {
    const dir = join(newFolder(), "ca");
    await open(dir);
    chmodSync(join(dir, name), 0o755);
    await expect(open(dir)).rejects.toMatchObject({ code: "io", help: expect.stringMatching(/^chmod [67]00 /) });
  });

  test("a damaged key stops it and is not quoted", async () => {
    const dir = join(newFolder(), "ca");
    await open(dir);
    writeFileSync(join(dir, "intermediate.key"), readFileSync(join(dir, "intermediate.key"), "utf8").replace(/[A-Za-z0-9]{20}/, "canary"));
    const error = await open(dir).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "io" });
    expect(JSON.stringify([String(error), (error as Error).stack, (error as Error).cause])).not.toContain("canary");
  });

  test("the intermediate is made anew when a third of its life is left, and leaves never outlive the signer", async () => {
    const dir = join(newFolder(), "ca");
    let now = Date.now();
    const authority = await open(dir, { now: () => now });
    const first = authority.signerNotAfterMs;
    now += YEAR * 0.6;
    await authority.sign({ publicKey: newPublicKey(), identity: users });
    expect(authority.signerNotAfterMs).toBe(first);
    now += YEAR * 0.1;
    const signed = await authority.sign({ publicKey: newPublicKey(), identity: users });
    expect(authority.signerNotAfterMs).toBeGreaterThan(first);
    expect(verifyIssued(signed, authority.rootsPem, now)).toMatchObject({ ok: true });
  });

  test("half a renewal, a new trust domain and an expired intermediate are repaired in development", async () => {
    const dir = join(newFolder(), "ca");
    const { rootsPem } = await open(dir);
    writeFileSync(join(dir, "intermediate.key"), makeKey().export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
    const repaired = await open(dir);
    expect(verifyIssued(await repaired.sign({ publicKey: newPublicKey(), identity: users }), rootsPem).ok).toBe(true);
    const other = await open(dir, { trustDomain: "other.test" });
    expect(
      verifyIssued(await other.sign({ publicKey: newPublicKey(), identity: { ...users, trustDomain: "other.test" } }), rootsPem).ok,
    ).toBe(true);
    const now = Date.now() + 2 * YEAR;
    expect((await open(dir, { now: () => now })).signerNotAfterMs).toBeGreaterThan(now);
  });
});

describe("a clock that is wrong", () => {
  const START = Date.UTC(2027, 5, 1);
  const verified = async (authority: Authority, nowMs: number) =>
    verifyIssued(await authority.sign({ publicKey: newPublicKey(), identity: users }), authority.rootsPem, nowMs);

  test.each([-5, 5])("by %i minutes: all that is made can be used by who is right, and by who is wrong the other way", async (minutes) => {
    const authority = await open(join(newFolder(), "ca"), { now: () => START + minutes * MINUTE });
    for (const peer of [0, -minutes]) expect(await verified(authority, START + peer * MINUTE)).toMatchObject({ ok: true });
  });

  test.each([
    { title: "an hour ahead", awayMs: HOUR },
    { title: "nine months ahead, when the intermediate is made anew", awayMs: 0.75 * YEAR },
    { title: "two years ahead", awayMs: 2 * YEAR },
    { title: "an hour behind", awayMs: -HOUR },
    { title: "two years behind", awayMs: -2 * YEAR },
  ])("heals when it is right again without a restart: $title", async ({ awayMs }) => {
    let now = START;
    const authority = await open(join(newFolder(), "ca"), { now: () => now });
    const { rootsPem } = authority;
    now = START + awayMs;
    expect(await verified(authority, now)).toMatchObject({ ok: true });
    now = START + MINUTE;
    expect(await verified(authority, now)).toMatchObject({ ok: true });
    expect(authority.rootsPem).toBe(rootsPem);
  });

  test.each([
    { title: "1970, as on a board without a battery", madeMs: HOUR },
    { title: "two years ahead", madeMs: START + 2 * YEAR },
  ])("when the folder is made, $title: the authority serves when it is right, in this process and the next", async ({ madeMs }) => {
    const dir = join(newFolder(), "ca");
    let now = madeMs;
    const first = await open(dir, { now: () => now });
    now = START;
    expect(await verified(first, now)).toMatchObject({ ok: true });
    expect(await verified(await open(dir, { now: () => now }), now)).toMatchObject({ ok: true });
  });

  test("an enterprise's intermediate is waited for: refused outside its time, and good in it", async () => {
    let now = Date.now();
    const authority = await open(await enterpriseFolder(), { dev: false, now: () => now });
    for (const away of [YEAR, -YEAR]) {
      now = Date.now() + away;
      await expect(authority.sign({ publicKey: newPublicKey(), identity: users })).rejects.toThrow(/has expired|is not valid yet/);
    }
    now = Date.now();
    expect(await verified(authority, now)).toMatchObject({ ok: true });
  });
});

describe("production", () => {
  test("makes no root of its own", async () => {
    await expect(open(join(newFolder(), "ca"), { dev: false })).rejects.toMatchObject({
      code: "refused",
      help: expect.stringContaining("--dev"),
    });
  });

  test("refuses a development root, with and without its mark", async () => {
    const dir = join(newFolder(), "ca");
    await open(dir);
    await expect(open(dir, { dev: false })).rejects.toMatchObject({ code: "refused" });
    rmSync(join(dir, "DEVELOPMENT"));
    await expect(open(dir, { dev: false })).rejects.toMatchObject({ code: "refused" });
  });

  test("refuses a signer that signed itself", async () => {
    const dir = await enterpriseFolder();
    writeFileSync(join(dir, "intermediate.pem"), readFileSync(join(dir, "root.pem")), { mode: 0o600 });
    writeFileSync(join(dir, "intermediate.key"), readFileSync(join(dir, "..", "enterprise.key")), { mode: 0o600 });
    await expect(open(dir, { dev: false })).rejects.toThrow(/self-signed/);
  });

  test("signs with an intermediate that the enterprise's root signed", async () => {
    const dir = await enterpriseFolder();
    const authority = await open(dir, { dev: false });
    const signed = await authority.sign({ publicKey: newPublicKey(), identity: users });
    expect(authority.isDevelopment).toBe(false);
    expect(verifyIssued(signed, authority.rootsPem)).toMatchObject({ ok: true });
  });

  test("refuses an intermediate for another trust domain", async () => {
    await expect(open(await enterpriseFolder(), { dev: false, trustDomain: "other.test" })).rejects.toThrow(
      /name constraints do not allow/,
    );
  });
});

/** As an enterprise's tool would make it: openssl's root, and an intermediate under it. */
async function enterpriseFolder(): Promise<string> {
  const parent = newFolder();
  const dir = join(parent, "ca");
  await open(dir);
  rmSync(join(dir, "DEVELOPMENT"));
  rmSync(join(dir, "root.key"));
  const rootKey = join(parent, "enterprise.key");
  execFileSync("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", rootKey]);
  const subject = ["-subj", "/O=Example Corp/CN=Example Root", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  execFileSync("openssl", ["req", "-x509", "-new", "-key", rootKey, ...subject, "-days", "30", "-out", join(dir, "root.pem")]);
  const { createPrivateKey } = await import("node:crypto");
  const root = { certificatePem: readFileSync(join(dir, "root.pem"), "utf8"), key: createPrivateKey(readFileSync(rootKey)) };
  const key = makeKey();
  const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 20 * 24 * HOUR };
  writeFileSync(join(dir, "intermediate.pem"), await issueIntermediate(root, key, "mesh.test", validity));
  writeFileSync(join(dir, "intermediate.key"), key.export({ format: "pem", type: "pkcs8" }));
  for (const file of readdirSync(dir)) chmodSync(join(dir, file), 0o600);
  return dir;
}

test("the development root says what it is", async () => {
  const key = makeKey();
  const pem = await issueDevelopmentRoot(key, { notBeforeMs: Date.now() - 1000, notAfterMs: Date.now() + HOUR });
  const certificate = new X509Certificate(pem);
  expect(certificate.subject).toBe("O=Kumiko development root");
  expect(certificate.verify(createPublicKey(key))).toBe(true);
});
