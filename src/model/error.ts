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

  /** Turns anything caught into a MeshError; one that already is comes back as it is. */
  static from(thrown: unknown, code: MeshErrorCode = "bug"): MeshError {
    if (thrown instanceof MeshError) return thrown;
    return new MeshError(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
  }
}
