import { quote } from "../base/shell.ts";

/** What went wrong with the machine or with us; what a user's configuration causes is a Diagnostic instead. */
export type MeshErrorCode = "bug" | "io" | "missing-program" | "network" | "not-found" | "protocol" | "refused" | "timeout" | "usage";

/** Lower-case message without a final period; `help` is the next command to type. */
export class MeshError extends Error {
  readonly code: MeshErrorCode;
  readonly help: string | undefined;

  constructor(code: MeshErrorCode, message: string, options: { help?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "MeshError";
    this.code = code;
    this.help = options.help;
  }

  /** Turns anything caught into a MeshError; one that already is comes back as it is. What the machine lacks is no bug of ours. */
  static from(thrown: unknown, code: MeshErrorCode = "bug"): MeshError {
    if (thrown instanceof MeshError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const lack = thrown instanceof Error ? findLack(thrown) : undefined;
    if (lack === undefined) return new MeshError(code === "bug" && isOfSystem(thrown) ? "io" : code, message, { cause: thrown });
    return new MeshError("io", `${lack.what}: ${message}`, { help: lack.help, cause: thrown });
  }
}

/** What a system call says (errno(3)) that a person can do something about. */
function findLack(error: Error & { readonly code?: unknown; readonly path?: unknown }): { what: string; help: string } | undefined {
  // A call on an open file names none.
  const { path } = error;
  const folder = typeof path !== "string" ? undefined : path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : ".";
  switch (error.code) {
    case "ENOSPC":
    case "EDQUOT":
      return { what: "there is no space left", help: folder === undefined ? "df -h" : `df -h ${quote(folder)}` };
    case "EFBIG":
      return { what: "a file would be larger than is allowed", help: "ulimit -f" };
    case "EIO":
      return { what: "the disk can't be read or written", help: "dmesg | tail" };
    case "EROFS":
      return { what: "nothing can be written there", help: `findmnt --target ${quote(folder ?? ".")}` };
    case "EMFILE":
    case "ENFILE":
      return { what: "too many files are open", help: "ulimit -n" };
    default:
      return undefined;
  }
}

/** What the operating system refused (`EACCES: permission denied, mkdir '/x'`) is no bug of ours, and says itself what it is. */
function isOfSystem(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || !("syscall" in thrown) || !("code" in thrown)) return false;
  return typeof thrown.syscall === "string" && /^E[A-Z0-9]+$/.test(String(thrown.code));
}
