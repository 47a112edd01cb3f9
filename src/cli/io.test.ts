import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../testing/until.ts";

/** A program that says which of its signals came. */
function start(asks: string): { readonly child: ChildProcess; said(): string; readonly ended: Promise<NodeJS.Signals | null> } {
  const script = `
    const { processIo } = await import(${JSON.stringify(fileURLToPath(new URL("./io.ts", import.meta.url)))});
    const io = processIo();
    for (const name of ${JSON.stringify(asks.split(" "))}) io[name].addEventListener("abort", () => console.log(name));
    setInterval(() => {}, 1000);
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stdout.on("data", (part: Buffer) => (said += part.toString()));
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
  return { child, said: () => said, ended };
}

test("a command that can be hurried hears the first Ctrl-C and the second, and the third ends it", async () => {
  const { child, said, ended } = start("signal impatience");
  await until("it runs", () => said().includes("ready"));
  child.kill("SIGINT");
  await until("it heard one", () => said().includes("signal"));
  expect(said()).not.toContain("impatience");
  child.kill("SIGINT");
  await until("it heard two", () => said().includes("impatience"));
  child.kill("SIGINT");
  expect(await ended).toBe("SIGINT");
});

test("the second Ctrl-C ends a command that can't be hurried", async () => {
  const { child, said, ended } = start("signal");
  await until("it runs", () => said().includes("ready"));
  child.kill("SIGINT");
  await until("it heard one", () => said().includes("signal"));
  child.kill("SIGINT");
  expect(await ended).toBe("SIGINT");
});
