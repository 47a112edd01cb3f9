import { randomBytes } from "node:crypto";
import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { makePrivateFolder } from "../../../agent/private-files.ts";
import { MeshError } from "../../../model/error.ts";

/** A Unix socket's path has 108 bytes at most, the end among them; the names within a lab's folder take up to this many. */
const MAX_FOLDER_LENGTH = 107 - "/m99999/a9999.sock".length;
const NAME = /^lab-(\d+)-/;

/**
 * Makes the private folder of one lab under a user's own in `runtimeDir`, and clears away those of labs that were killed with all their
 * processes. @throws MeshError where the folder can't be had.
 */
export function makeRunFolder(runtimeDir: string): string {
  const parent = join(runtimeDir, `kumiko-${process.getuid?.() ?? 0}`);
  makePrivateFolder(parent);
  removeLeftovers(parent);
  const folder = join(parent, `lab-${process.pid}-${randomBytes(2).toString("hex")}`);
  if (folder.length > MAX_FOLDER_LENGTH) {
    throw new MeshError("usage", `sockets in ${folder} would have names that are too long`, {
      help: "set XDG_RUNTIME_DIR to a shorter path",
    });
  }
  makePrivateFolder(folder);
  return folder;
}

/** The folder, and the user's own if nothing else is there. */
export function removeRunFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  try {
    rmdirSync(dirname(folder));
  } catch {
    // Another mesh of this user runs.
  }
}

function removeLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
