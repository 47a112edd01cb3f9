import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, chmodSync } from "node:fs";
import { inspect } from "node:util";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Authority, openAuthority } from "../ca/index.ts";
import { until } from "../testing/until.ts";
import { type WorkloadCertificate, WorkloadKeys, type WorkloadKeysSettings } from "./keys.ts";

const identity = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "users" };

let dir: string;
let authority: Authority;
let signed: number;
let offsetMs: number;
const opened: WorkloadKeys[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "kkeys-"));
  authority = await openAuthority({ dir: join(dir, "ca"), trustDomain: "mesh.test", dev: true });
  signed = 0;
  offsetMs = 0;
});

afterEach(() => {
  for (const keys of opened.splice(0)) keys.close();
  rmSync(dir, { recursive: true, force: true });
});

function open(over: Partial<WorkloadKeysSettings> = {}, ttlMs = 3_600_000): WorkloadKeys {
  const keys = new WorkloadKeys({
    identity,
    file: join(dir, "identity.json"),
    sign: async (csr) => {
      signed++;
      return (await authority.sign({ csr, identity, ttlMs })).chainPem;
    },
    onChange: () => {},
    now: () => Date.now() + offsetMs,
    ...over,
  });
  opened.push(keys);
  keys.start();
  return keys;
}

const certificateOf = (keys: WorkloadKeys) => until("there is a certificate", () => keys.current);

describe("the keys of a workload", () => {
  test("are kept in one 0600 file, so that the next agent needs no new one", async () => {
    const first = await certificateOf(open());
    expect(statSync(join(dir, "identity.json")).mode & 0o777).toBe(0o600);
    const second = await certificateOf(open());
    expect(second.chainPem).toBe(first.chainPem);
    expect(signed).toBe(1);
  });

  test("show no key when they are printed", async () => {
    const keys = open();
    const certificate = await certificateOf(keys);
    const kept = JSON.parse(readFileSync(join(dir, "identity.json"), "utf8")) as { keyPem: string };
    const line = kept.keyPem.split("\n")[1] ?? "";
    for (const text of [inspect(keys, { depth: 9 }), inspect(certificate, { depth: 9 }), JSON.stringify(certificate)]) {
      expect(text).not.toContain("PRIVATE");
      expect(text).not.toContain(line);
    }
  });

  test.each([
    { title: "others could read", spoil: () => chmodSync(join(dir, "identity.json"), 0o644) },
    { title: "is for another identity", over: { identity: { ...identity, serviceAccount: "other" } } },
    { title: "has expired", spoil: () => (offsetMs = 7_200_000) },
  ])("that $title are not taken over", async ({ spoil, over }) => {
    await certificateOf(open());
    spoil?.();
    open({ ...over, sign: () => Promise.reject(new Error("stop")) });
    expect(opened.at(-1)?.current).toBeUndefined();
  });

  test("are renewed before half of their life is over by much, again and again", async () => {
    const keys = open({ random: () => 0.5 }, 2000);
    const seen = new Set<string>();
    await until("three certificates", () => {
      if (keys.current !== undefined) seen.add(keys.current.chainPem);
      return seen.size >= 3;
    });
    expect(keys.current).toBeDefined();
  });

  test("a control plane that is away is asked again; a quarter of the life before the end there is an alarm", async () => {
    let isDown = false;
    const alarms: string[] = [];
    const sign = async (csr: string) => {
      if (isDown) throw new Error("away");
      return (await authority.sign({ csr, identity, ttlMs: 2000 })).chainPem;
    };
    const keys = open({ sign, onAlarm: (reason) => alarms.push(reason) });
    const first = await certificateOf(keys);
    isDown = true;
    await until("an alarm", () => alarms[0]);
    expect(keys.lastError).toBe("away");
    await until("it has expired", () => keys.current === undefined);
    isDown = false;
    expect((await certificateOf(keys)).chainPem).not.toBe(first.chainPem);
  });

  test.each([
    { title: "an hour on", stepMs: 3_600_000 },
    { title: "two years back", stepMs: -2 * 365 * 24 * 3_600_000 },
    { title: "two years on, and back again", stepMs: 2 * 365 * 24 * 3_600_000, isBack: true },
  ])("when the clock goes $title, what is not valid is not used, and there is a valid one soon", async ({ stepMs, isBack = false }) => {
    const clocked = await openAuthority({
      dir: join(dir, "clocked"),
      trustDomain: "mesh.test",
      dev: true,
      now: () => Date.now() + offsetMs,
    });
    const keys = open({ sign: async (csr) => (await clocked.sign({ csr, identity })).chainPem, lookMs: 20 });
    const isValid = (one: WorkloadCertificate, now = Date.now() + offsetMs) => one.notBeforeMs <= now && now <= one.notAfterMs;
    const first = await certificateOf(keys);
    const steps = isBack ? [stepMs, 0] : [stepMs];
    for (const step of steps) {
      offsetMs = step;
      const now = keys.current;
      expect(now === undefined || isValid(now)).toBe(true);
      expect(isValid(await certificateOf(keys))).toBe(true);
    }
    expect(keys.current?.chainPem).not.toBe(first.chainPem);
  });

  test.each<{ title: string; chain: (good: readonly string[]) => readonly string[]; message: RegExp }>([
    { title: "an empty chain", chain: () => [], message: /no certificate/ },
    { title: "garbage", chain: () => ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"], message: /can't be/ },
    { title: "a chain without its intermediate", chain: ([leaf = "", , root = ""]) => [leaf, root], message: /no root that is trusted/ },
    { title: "the leaf as its own root", chain: ([leaf = ""]) => [leaf], message: /can't be used/ },
  ])("$title never gets to Envoy", async ({ chain, message }) => {
    const keys = open({ sign: async (csr) => chain((await authority.sign({ csr, identity })).chainPem) });
    expect(await until("an error", () => keys.lastError)).toMatch(message);
    expect(keys.current).toBeUndefined();
  });

  test("a certificate for another key never gets to Envoy", async () => {
    const publicKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "der", type: "spki" });
    const keys = open({ sign: async () => (await authority.sign({ publicKey, identity })).chainPem });
    expect(await until("an error", () => keys.lastError)).toContain("another key");
    expect(keys.current).toBeUndefined();
  });
});
