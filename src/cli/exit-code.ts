/** What a command's exit code says; `docs/cli.md` has the same list. */
export const EXIT = {
  done: 0,
  failed: 1,
  /** The command line itself is wrong: unknown command, option or argument. */
  usage: 2,
  /** No mesh is running here, or it doesn't answer. */
  unreachable: 3,
  /** The thing that was named does not exist. */
  notFound: 4,
  /** Refused: invalid, declared by the folder, or changed meanwhile. */
  refused: 5,
  /** Ctrl-C (128 + SIGINT), as shells have it. */
  interrupted: 130,
} as const;

export type ExitCode = number;
