import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder } from "@platform/setup/cache";
import { outputOf } from "./child.ts";

const VERSION = "5.2.1";
/** Not its extra `server`, which brings four times as much for services that nobody here asks for. */
const PACKAGES = [`moto==${VERSION}`, "flask", "flask-cors"] as const;

/**
 * Variables with which `python3 -m moto.server` runs: none more where the machine's Python has moto; else it is installed once into a folder of
 * the user's cache. Undefined where it can't be had.
 */
export async function findMoto(): Promise<NodeJS.ProcessEnv | undefined> {
  const check = ["-c", "import moto.server, flask"] as const;
  if ((await outputOf("python3", check, 60_000)) !== undefined) return process.env;
  const folder = join(cacheFolder(process.env), `moto-${VERSION}`);
  if (!existsSync(folder)) await install(folder);
  return existsSync(folder) ? { ...process.env, PYTHONPATH: folder } : undefined;
}

/** The last step is a rename: another process sees all of it or nothing. */
async function install(folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(dirname(folder), ".install-"));
  try {
    const args = ["-m", "pip", "install", "--quiet", "--no-compile", "--target", work, ...PACKAGES];
    if ((await outputOf("python3", args, 300_000)) === undefined) return;
    await rename(work, folder).catch(() => {});
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
