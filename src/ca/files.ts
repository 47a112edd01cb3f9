import { createPrivateKey, type KeyObject, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MeshError } from "../model/error.ts";

/** What an authority keeps on disk. Every file is 0600 in a 0700 folder. */
export const FILES = {
  /** PEM of the trusted roots, one or more. */
  roots: "root.pem",
  /** The development root's key; an enterprise root's key never comes here. */
  rootKey: "root.key",
  /** PEM of the signing certificate, then of what is between it and a root. */
  intermediate: "intermediate.pem",
  intermediateKey: "intermediate.key",
  /** There where the root was made by this program for development. */
  developmentMark: "DEVELOPMENT",
} as const;

/** Reads a file of the authority that only its owner may read. @throws MeshError `io` with the command that repairs it. */
export function readPrivate(dir: string, name: string): string {
  const file = join(dir, name);
  checkPrivate(dir, 0o700);
  checkPrivate(file, 0o600);
  return readFileSync(file, "utf8");
}

export function readPrivateKey(dir: string, name: string): KeyObject {
  const text = readPrivate(dir, name);
  try {
    return createPrivateKey(text);
  } catch {
    // The cause could quote the key.
    throw new MeshError("io", `${join(dir, name)} holds no private key that can be read`, { help: "restore it from a backup" });
  }
}

function checkPrivate(path: string, mode: number): void {
  const { uid, mode: found } = statSync(path);
  const own = process.getuid?.();
  if (own !== undefined && uid !== own) {
    throw new MeshError("io", `${path} belongs to user ${uid}, not to you`, { help: `chown ${own} '${path}'` });
  }
  if ((found & 0o077) !== 0) {
    throw new MeshError("io", `${path} can be read by others (mode ${(found & 0o777).toString(8)})`, {
      help: `chmod ${mode.toString(8)} '${path}', and make new keys if somebody may have read it`,
    });
  }
}

/**
 * Makes the folder with all its files at once: another process sees none or all of them. Returns false where another one made it first.
 */
export function createFolder(dir: string, files: Readonly<Record<string, string>>): boolean {
  mkdirSync(dirname(dir), { recursive: true, mode: 0o700 });
  const next = `${dir}.${randomBytes(6).toString("hex")}.new`;
  mkdirSync(next, { mode: 0o700 });
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(next, name), text, { mode: 0o600, flush: true });
    renameSync(next, dir);
    return true;
  } catch (thrown) {
    rmSync(next, { recursive: true, force: true });
    if (isTaken(thrown)) return false;
    throw MeshError.from(thrown, "io");
  }
}

/** Replaces one file; a reader sees the old or the new text, never a part. */
export function replaceFile(dir: string, name: string, text: string): void {
  const next = join(dir, `${name}.${randomBytes(6).toString("hex")}.new`);
  writeFileSync(next, text, { mode: 0o600, flush: true });
  renameSync(next, join(dir, name));
}

/** True where the folder holds an authority; an empty folder is removed, so that one can be created in its place. */
export function holdsAuthority(dir: string): boolean {
  try {
    rmdirSync(dir);
    return false;
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return false;
    if (isTaken(thrown)) return true;
    throw MeshError.from(thrown, "io");
  }
}

function isTaken(thrown: unknown): boolean {
  const code = (thrown as NodeJS.ErrnoException).code;
  return code === "ENOTEMPTY" || code === "EEXIST";
}
