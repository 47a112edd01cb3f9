import { defineCommand } from "./command.ts";

export const testEcho = defineCommand({
  name: "test-echo",
  summary: "Answer and send requests as kumiko test --real says on standard input",
  hidden: true,
  options: {
    attempts: { type: "string", value: "FOLDER", help: "count the attempts of a call with the other programs that are given this folder" },
  },
  async run({ options, io }) {
    io.leaveInterruptsToParent();
    const { runEchoProgram } = await import("../meshtest/echo-program/echo-program.ts");
    await runEchoProgram({
      input: process.stdin,
      write: (line) => io.stdout.write(line),
      ...(options.attempts !== undefined && { attemptsFolder: options.attempts }),
    });
    // Requests that are still under way are nobody's any more.
    process.exit(0);
  },
});
