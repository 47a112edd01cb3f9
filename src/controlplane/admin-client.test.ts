import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask, messageOf } from "./admin-client.ts";

let folder: string;
let server: Server | undefined;
const socket = () => join(folder, "a.sock");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-ask-"));
});
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function answerWith(listener: RequestListener): Promise<void> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(socket(), resolve));
}

test("sends a body as JSON and reads a JSON answer", async () => {
  await answerWith((request, response) => request.pipe(response.writeHead(201, { "content-type": "application/json" })));
  expect(await ask(socket(), "/x", { method: "POST", body: { a: 1 } })).toMatchObject({ status: 201, body: { a: 1 }, text: '{"a":1}' });
});

test("a text that only says that it is JSON stays a text", async () => {
  await answerWith((_, response) => response.writeHead(200, { "content-type": "application/json" }).end("<html>"));
  expect(await ask(socket(), "/")).toMatchObject({ body: "<html>" });
});

test("nobody listens: network, with the system's code as the cause", async () => {
  await expect(ask(socket(), "/")).rejects.toMatchObject({ code: "network", cause: { code: "ENOENT" } });
});

test("no answer in time: timeout", async () => {
  await answerWith(() => undefined);
  await expect(ask(socket(), "/", { timeoutMs: 20 })).rejects.toMatchObject({ code: "timeout" });
});

test.each([
  { title: "a Kubernetes Status", body: { kind: "Status", message: "no such pod" }, expected: "no such pod" },
  { title: "an answer of the agent", body: { error: "the name is too long" }, expected: "the name is too long" },
  { title: "a text", body: "gone", expected: "gone" },
  { title: "nothing", body: "", expected: "answered 500" },
])("the message of $title", ({ body, expected }) => {
  expect(messageOf({ status: 500, body })).toBe(expected);
});
