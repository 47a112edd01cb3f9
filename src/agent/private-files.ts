import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { MeshError } from "../model/error.ts";

/** Makes a folder that only its owner may enter. @throws MeshError `io` where it belongs to somebody else. */
export function makePrivateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(folder);
  const own = process.getuid?.();
  if (own !== undefined && uid !== own) {
    throw new MeshError("io", `${folder} belongs to user ${uid}, not to you`, { help: `remove it, or name another folder` });
  }
  if ((mode & 0o777) !== 0o700) chmodSync(folder, 0o700);
}

/** Writes a file with mode 0600; a reader sees the old or the new text, never a part. */
export function writePrivately(file: string, text: string): void {
  const next = `${file}.${randomBytes(6).toString("hex")}.new`;
  writeFileSync(next, text, { mode: 0o600 });
  renameSync(next, file);
}

/** The JSON of a file; undefined where it is missing or torn: what was there is then made anew. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
