import type { EchoEnds } from "../meshtest/real/lab/outside.ts";
import { defineCommand } from "./command.ts";
import type { ExitCode } from "./exit-code.ts";

export const testLab = defineCommand({
  name: "test-lab",
  summary: "Run a part of the meshes of kumiko test --real, which starts it within fresh namespaces",
  hidden: true,
  arguments: [{ name: "part", help: "what to run", choices: ["machine", "outside"] }],
  options: { attempts: { type: "string", value: "FOLDER", help: "as of test-echo" } },
  async run({ args, options: { attempts }, io }) {
    io.leaveInterruptsToParent();
    return args[0] === "machine" ? await runMachine() : await runOutsideOf((line) => io.stdout.write(line), attempts);
  },
});

// Many of the second kind start: each part is loaded alone.

async function runMachine(): Promise<ExitCode> {
  const { runLabChild } = await import("../meshtest/real/lab/child.ts");
  await runLabChild(process.stdin, process.stdout, (code) => process.exit(code));
  // The end of its input is the end of the process.
  return await new Promise<never>(() => {});
}

async function runOutsideOf(write: (line: string) => void, attemptsFolder: string | undefined): Promise<ExitCode> {
  const [{ runEchoProgram }, { runOutside }] = await Promise.all([
    import("../meshtest/echo-program/echo-program.ts"),
    import("../meshtest/real/lab/outside.ts"),
  ]);
  const runEcho = (ends: EchoEnds) => runEchoProgram({ ...ends, ...(attemptsFolder !== undefined && { attemptsFolder }) });
  await runOutside({ input: process.stdin, write, runEcho });
  process.exit(0);
}
