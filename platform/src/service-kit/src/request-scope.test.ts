import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { currentTraceparent, inRequestScope } from "./request-scope.ts";
import { createServer } from "./server.ts";

const traceparent = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;

test("what a request causes finds its trace, and not that of another one at the same time", async () => {
  const server = createServer({ name: "test", version: "v1", logLevel: "silent" });
  server.post("/x", async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return { found: currentTraceparent() };
  });
  await server.listen({ host: "127.0.0.1", port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const send = async (digit: string) => {
    const headers = { traceparent: traceparent(digit), "content-type": "application/json" };
    const answer = await fetch(`http://127.0.0.1:${port}/x`, { method: "POST", headers, body: "{}" });
    return ((await answer.json()) as { found?: string }).found;
  };
  expect(await Promise.all(["1", "2", "3"].map(send))).toEqual(["1", "2", "3"].map(traceparent));
  await server.close();
});

test.each([undefined, "", "00-x-y-01", `${traceparent("1")}\n`])("%j is no trace", async (given) => {
  expect(await inRequestScope({ traceparent: given }, async () => currentTraceparent())).toBeUndefined();
});

test("outside of a request there is none", () => {
  expect(currentTraceparent()).toBeUndefined();
});
