import { MeshError, type MeshErrorCode } from "../model/error.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { versionLine } from "./package-version.ts";
import { painter, renderError } from "./render.ts";

const CODES: Readonly<Partial<Record<MeshErrorCode, ExitCode>>> = {
  usage: EXIT.usage,
  network: EXIT.unreachable,
  "not-found": EXIT.notFound,
  refused: EXIT.refused,
};

/** Runs one command line. Never throws: what goes wrong is written to standard error, and the exit code says which kind it was. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  try {
    // Asked often by scripts: answered before anything is loaded that it doesn't need.
    if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
      io.stdout.write(`${versionLine()}\n`);
      return EXIT.done;
    }
    const { parse } = await import("./parse.ts");
    const parsed = await parse(argv);
    if (parsed.kind === "answer") {
      io.stdout.write(parsed.text);
      return EXIT.done;
    }
    return await parsed.command.run({ args: parsed.args, options: parsed.options, io });
  } catch (thrown) {
    const error = MeshError.from(thrown);
    io.stderr.write(renderError(error, painter(io.stderr, io.environment), io.environment.program));
    return CODES[error.code] ?? EXIT.failed;
  }
}
