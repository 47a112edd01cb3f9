import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

/** Says "got it" when a request has come, and answers when it is told to stop. */
const program = `
import { createServer, runService } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
const server = createServer({ name: "slow", version: "v1", logLevel: "silent" });
server.get("/slow", async () => {
  console.log("got it");
  await new Promise((resolve) => process.once("SIGTERM", resolve));
  await new Promise((resolve) => setImmediate(resolve));
  return { done: true };
});
server.addHook("onListen", async () => console.log("port", server.server.address().port));
await runService(server, { port: 0, stopTimeoutMs: 5_000 });
console.log("ended");
`;

test("a request in flight is answered after SIGTERM, and then the process ends", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  const saw = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(output);
        if (match !== null) resolve(match);
      };
      child.stdout.on("data", look);
      child.on("exit", () => reject(new Error(`ended: ${output}`)));
      look();
    });
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [, port] = await saw(/port (\d+)/);
  const answer = fetch(`http://127.0.0.1:${port}/slow`);
  await saw(/got it/);
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await (await answer).json()).toEqual({ done: true });
  expect(await exit).toEqual([0, null]);
  expect(output).toContain("ended");
});
