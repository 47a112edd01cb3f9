import { mkdtempSync, rmSync } from "node:fs";
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
    { title: "a key that stands twice", body: '{"metadata":{"name":"x"},"spec":{"hosts":["a"],"hosts":["b"]}}', code: 400 },
    { title: "a key that stands twice in other letters", body: String.raw`{"metadata":{"name":"x","n\u0061me":"y"}}`, code: 400 },
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

  test("the same key in different objects, and in texts, is no fault", async () => {
    const spec = String.raw`{"hosts":["a"],"http":[{"name":"a"},{"name":"b"}],"x":"{\"a\":1,\"a\":2}"}`;
    expect((await post(`{"metadata":{"name":"x"},"spec":${spec}}`)).code).toBe(201);
  });

  test("a body that is not UTF-8 is refused", async () => {
    const head = `POST ${VIRTUAL_SERVICES} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 36\r\nconnection: close\r\n\r\n`;
    const body = Buffer.concat([Buffer.from('{"metadata":{"name":"x"},"spec":{"a":'), Buffer.from([0x22, 0xc3, 0x22]), Buffer.from("}}")]);
    expect(await exchange(Buffer.concat([Buffer.from(head.replace("36", String(body.length))), body]))).toMatchObject({
      code: 400,
      status: { kind: "Status", message: "the body is not UTF-8" },
    });
  });

  test.each([
    ["what is not HTTP", "\u0000\u0001garbage\r\n\r\n", 400],
    ["headers beyond the limit", `GET /version HTTP/1.1\r\nhost: a\r\nx-long: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["two lengths", "POST /api HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}", 400],
    ["a length beside a coding", "POST /api HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["a chunk that is none", `POST ${VIRTUAL_SERVICES} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`, 400],
    ["a tunnel", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", 405],
    ["an expectation that nobody knows", "POST /api HTTP/1.1\r\nhost: a\r\nexpect: x\r\nconnection: close\r\n\r\n", 417],
    ["a verb that nobody knows", "FROB / HTTP/1.1\r\nhost: a\r\n\r\n", 400],
    ["no path below the API", "GET /nowhere HTTP/1.1\r\nconnection: close\r\n\r\n", 404],
  ])("%s is refused by a Status, as everything else is", async (_, text, code) => {
    expect(await exchange(Buffer.from(text))).toMatchObject({ code, status: { kind: "Status", status: "Failure", code } });
  });
});

describe("a request for a join token", () => {
  const ask = (body: object) => call("/kumiko/v1/join-tokens", { method: "POST", body: JSON.stringify(body) });
  const good = { namespace: "shop", name: "legacy-1" };

  test("needs a namespace and a workload, and no more", async () => {
    expect(await ask(good)).toMatchObject({ code: 201, body: { namespace: "shop", name: "legacy-1", serviceAccount: "default" } });
  });

  test.each([
    { title: "no namespace", body: { name: "a" }, says: "namespace is missing" },
    { title: "no name", body: { namespace: "shop" }, says: "name is missing" },
    { title: "a name that is a list", body: { ...good, name: ["a"] }, says: "name is not a text" },
    { title: "an empty account", body: { ...good, serviceAccount: "" }, says: "serviceAccount is not a text" },
    { title: "labels that are a list", body: { ...good, labels: ["a"] }, says: "labels is not an object" },
    { title: "a label that is a number", body: { ...good, labels: { a: 1 } }, says: "labels is not an object" },
    { title: "a host for an address", body: { ...good, address: "a.example" }, says: "address is not an IP address" },
    { title: "a text for gateway", body: { ...good, gateway: "yes" }, says: "gateway is neither" },
    { title: "a life of a day", body: { ...good, ttlSeconds: 86_400 }, says: "ttlSeconds is not a number from 1 to 600" },
  ])("with $title is refused", async ({ body, says }) => {
    const answer = await ask(body);
    expect(answer.code).toBe(422);
    expect(answer.body.message).toContain(says);
  });
});

/** Sends bytes as they are, and reads until the other side closes. */
async function exchange(bytes: Buffer): Promise<{ readonly code: number; readonly status: unknown }> {
  const socket = connect(join(folder, "admin.sock"));
  socket.write(bytes);
  const answer = await new Promise<string>((resolve) => {
    let text = "";
    socket.on("data", (part) => (text += part.toString()));
    socket.on("error", () => resolve(text));
    socket.on("close", () => resolve(text));
  });
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  expect(head).toContain("content-type: application/json");
  return { code: Number(head.split(" ")[1]), status: JSON.parse(body) };
}
