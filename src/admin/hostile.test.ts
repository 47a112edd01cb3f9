import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fakeBackend } from "../testing/admin-backend.ts";
import { type Call, callSocket } from "../testing/call-socket.ts";
import { type AdminServer, startAdmin } from "./server.ts";

const VIRTUAL_SERVICES = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices";

let folder: string;
let server: AdminServer;
let faults: Error[];

const call = (path: string, options?: Call) => callSocket(join(folder, "admin.sock"), path, options);
const post = (body: string, headers = {}) => call(VIRTUAL_SERVICES, { method: "POST", body, headers });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-admin-"));
  faults = [];
  server = await startAdmin({ socket: join(folder, "admin.sock"), backend: fakeBackend(), report: (error) => faults.push(error) });
});

/** Whatever came: no fault of ours, and the next caller is answered. */
afterEach(async () => {
  expect(faults).toEqual([]);
  expect((await call("/version")).code).toBe(200);
  await server.close();
  rmSync(folder, { recursive: true });
});

describe("hostile input", () => {
  test.each([
    { title: "what is not JSON", body: "{", code: 400 },
    { title: "a list", body: "[]", code: 400 },
    { title: "null", body: "null", code: 400 },
    { title: "nothing", body: "", code: 400 },
    { title: "ten thousand levels", body: `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`, code: 400 },
    { title: "a key that names the prototype", body: '{"metadata":{"name":"x"},"spec":{"__proto__":{"polluted":1}}}', code: 400 },
    { title: "metadata that is a text", body: '{"metadata":"x"}', code: 400 },
    { title: "a name that is a list", body: '{"metadata":{"name":["x"]}}', code: 422 },
    { title: "more than the limit", body: `{"a":"${"x".repeat(3 * 1024 * 1024)}"}`, code: 413 },
  ])("a body of $title is refused with $code", async ({ body, code }) => {
    const answer = await post(body);
    expect(answer.body.kind).toBe("Status");
    expect(answer.code).toBe(code);
  });

  test("a body of more than the limit without a stated length is refused", async () => {
    const answer = await post(`{"a":"${"x".repeat(3 * 1024 * 1024)}"}`, { "transfer-encoding": "chunked" });
    expect(answer.code).toBe(413);
  });

  test("an error says where the JSON breaks, and quotes nothing of it", async () => {
    const { body } = await post('{"password": secret-planted}');
    expect(body.message).toContain("the body is not JSON");
    expect(body.message).not.toContain("secret");
  });

  test("another type of body is refused", async () => {
    expect((await post("a: b", { "content-type": "application/yaml" })).code).toBe(415);
  });

  test.each([
    "/api/v1/namespaces/../../etc/passwd",
    "/api/v1/namespaces/%2e%2e/pods",
    "/api/v1/namespaces/a%2fb/pods",
    "/api/v1/namespaces/%00/pods",
    "/api/v1/namespaces/%zz/pods",
    "/api//v1",
    `/api/v1/namespaces/${"n".repeat(300)}/pods`,
  ])("the path %s is refused", async (path) => {
    expect((await call(path)).code).toBe(400);
  });

  test.each(["PATCH", "OPTIONS", "PROPFIND"])("the verb %s is refused", async (method) => {
    expect((await call(VIRTUAL_SERVICES, { method })).code).toBe(405);
  });

  test("what is not HTTP closes the connection", async () => {
    const socket = connect(join(folder, "admin.sock"));
    socket.write("\u0000\u0001garbage\r\n\r\n");
    const answer = await new Promise<string>((resolve) => {
      let text = "";
      socket.on("data", (part) => (text += part.toString()));
      socket.on("close", () => resolve(text));
    });
    expect(answer).toContain("400 Bad Request");
  });

  test("headers beyond the limit are refused", async () => {
    const code = await new Promise((resolve) => {
      const outgoing = request(
        { socketPath: join(folder, "admin.sock"), path: "/version", headers: { "x-long": "x".repeat(20_000) } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      outgoing.on("error", () => resolve("closed"));
      outgoing.end();
    });
    expect([431, "closed"]).toContain(code);
  });
});
