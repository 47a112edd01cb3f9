import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { freshAddress, orderTo } from "../testing/echo-program.ts";
import { loadAllCommands } from "./commands.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

test("serves and sends by lines, and ends with its input, whatever is under way", async () => {
  const address = freshAddress();
  const program = spawn(process.execPath, [MAIN, "test-echo"], { stdio: ["pipe", "pipe", "inherit"] });
  const lines: Record<string, unknown>[] = [];
  const seen = (kind: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!lines.some((line) => line["kind"] === kind)) return;
        program.stdout.off("data", look);
        resolve();
      };
      program.stdout.on("data", look);
      look();
    });
  let text = "";
  program.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    const parts = text.split("\n");
    text = parts.pop() ?? "";
    lines.push(...parts.map((part) => JSON.parse(part) as Record<string, unknown>));
  });
  const tell = (...inputs: readonly object[]): void =>
    void program.stdin.write(inputs.map((input) => `${JSON.stringify(input)}\n`).join(""));
  tell({ kind: "listen", id: 1, ports: [{ address, port: 8080, as: "a/b" }] });
  await seen("listening");
  tell({ kind: "send", id: 2, order: orderTo(address) });
  await seen("report");
  expect(lines.map(({ kind }) => kind)).toEqual(["listening", "arrival", "report"]);
  const exited = new Promise((resolve) => program.once("exit", resolve));
  tell({ kind: "send", id: 3, order: orderTo(address, { headers: [["x-echo-delay-ms", "100000"]], timeoutMs: 200_000 }) });
  program.stdin.end();
  expect(await exited).toBe(0);
});

test("is in no help", async () => {
  const commands = await loadAllCommands();
  expect(commands.find(({ name }) => name === "test-echo")?.hidden).toBe(true);
});
