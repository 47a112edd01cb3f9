import { readFileSync } from "node:fs";
import type { MachineProcessOptions } from "../controlplane/machine-process.ts";
import { defineCommand } from "./command.ts";

export const machine = defineCommand({
  name: "machine",
  summary: "Run the workloads; kumiko up starts it within fresh namespaces",
  hidden: true,
  arguments: [{ name: "file", help: "what kumiko up hands over" }],
  async run({ args, io }) {
    io.leaveInterruptsToParent();
    const { runMachine } = await import("../controlplane/machine-process.ts");
    await runMachine(JSON.parse(readFileSync(args[0] ?? "", "utf8")) as MachineProcessOptions);
    // It ends the process itself when its input ends.
    return await new Promise<never>(() => {});
  },
});
