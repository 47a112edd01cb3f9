import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { LIMITS } from "./limits.ts";

/** The text of a configuration file: UTF-8, at most 4 MiB, a regular file. What stands in the way is a diagnostic. */
export async function readFileText(file: string): Promise<string | Diagnostic> {
  try {
    // A pipe without a writer would hold up whoever opens it.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile() && !stat.isDirectory()) return unreadable(file, { code: "SPECIAL" });
      const { size } = stat;
      if (size > LIMITS.fileBytes) return tooLarge(file);
      // What a writer adds meanwhile comes with the next change that is noticed.
      const bytes = new Uint8Array(size);
      const { bytesRead } = await handle.read(bytes, 0, size, 0);
      return decode(bytes.subarray(0, bytesRead), file);
    } finally {
      await handle.close();
    }
  } catch (error) {
    return unreadable(file, error);
  }
}

export function unreadable(file: string, error: unknown): Diagnostic {
  const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "it does not exist",
    EACCES: "no permission",
    EISDIR: "it is a folder",
    SPECIAL: "it is no regular file",
  };
  return diagnostic("KMK0001", {
    message: `${file} can't be read: ${reasons[code] ?? code}`,
    help: `check it: ls -la ${file}`,
    position: { file, line: 1, column: 1 },
  });
}

function tooLarge(file: string): Diagnostic {
  const message = `${file} is larger than ${LIMITS.fileBytes / 1024 / 1024} MiB`;
  return diagnostic("KMK0003", { message, help: "split it", position: { file, line: 1, column: 1 } });
}

function decode(bytes: Uint8Array, file: string): string | Diagnostic {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return diagnostic("KMK0002", { message: `${file} is not UTF-8`, help: "save it as UTF-8", position: { file, line: 1, column: 1 } });
  }
}
