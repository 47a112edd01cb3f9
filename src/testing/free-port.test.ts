import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { freePort } from "./free-port.ts";

const AT_ONCE = 100;

test("no port is given twice", async () => {
  const ports = await Promise.all(Array.from({ length: AT_ONCE }, freePort));
  expect(new Set(ports).size).toBe(AT_ONCE);
});

test("another process is given others", async () => {
  const path = JSON.stringify(fileURLToPath(new URL("free-port.ts", import.meta.url)));
  const program = `const { freePort } = await import(${path}); setInterval(() => {}, 60_000); process.send(await Promise.all(Array.from({ length: ${AT_ONCE} }, freePort)));`;
  const child = fork("data:text/javascript,", { execArgv: ["--input-type=module", "--eval", program], stdio: "inherit" });
  const [theirs] = (await once(child, "message")) as [number[]];
  const ours = await Promise.all(Array.from({ length: AT_ONCE }, freePort));
  child.kill();
  expect(theirs.filter((port) => ours.includes(port))).toEqual([]);
});
