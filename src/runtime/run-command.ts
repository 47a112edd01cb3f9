import { spawn } from "node:child_process";
import { MeshError } from "../model/error.ts";
import { getProgram } from "./program.ts";
import { systemPath } from "./system-path.ts";

/** Runs a short system program with text on its standard input. @throws MeshError `io` with what the program said. */
export function runCommand(program: string, args: readonly string[], input = ""): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(getProgram(program), args, { env: { PATH: systemPath() }, stdio: ["pipe", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(0, 4096);
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.once("error", (error) => reject(new MeshError("io", `${program} can't be run: ${error.message}`, { cause: error })));
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new MeshError("io", `${program} failed: ${said.trim() || `exit code ${code}`}`));
    });
  });
}
